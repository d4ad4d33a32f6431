import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** A part of the contract, against a format of what `test/support/packed.ts` has packed. */
function build(name: string, extension: string): TestProjectInlineConfiguration {
  const packed = fileURLToPath(new URL('test/.packed/node_modules', import.meta.url));
  return {
    extends: true,
    resolve: {
      alias: [
        { find: /^(@tidings\/\w+)$/, replacement: `${packed}/$1/dist/index.${extension}` },
        { find: /^(@tidings\/\w+)\/(\w+)$/, replacement: `${packed}/$1/dist/$2.${extension}` },
      ],
    },
    test: {
      name,
      ...programs,
      globalSetup: PACK,
      env: { PACKED_FORMAT: extension },
      include: ['test/builds/contract.test.ts'],
    },
  };
}

const PACK = 'test/support/packed.ts';
const programs = { maxWorkers: 1, sequence: { groupOrder: 1 }, testTimeout: 60_000 };

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Its files wait more than they compute.
          maxWorkers: 4,
          sequence: { groupOrder: 0 },
          include: [
            'packages/*/test/**/*.test.ts',
            'test/*.test.ts',
            'test/{contract,spec,channels,docs}/**/*.test.ts',
          ],
        },
      },
      // What needs more of the machine than Node: programs that `npm test` installs where it can.
      {
        extends: true,
        test: {
          name: 'system',
          ...programs,
          include: ['test/{browser,brokers}/**/*.test.ts', 'test/examples/{fresh,stop}.test.ts'],
        },
      },
      // What is between a server and its users: see docs/compatibility.md.
      {
        extends: true,
        test: { name: 'real-world', ...programs, include: ['test/real-world/**/*.test.ts'] },
      },
      // The packages as they are packed.
      {
        extends: true,
        test: {
          name: 'packed',
          ...programs,
          globalSetup: PACK,
          include: ['test/examples/copies.test.ts', 'test/builds/commonjs.test.ts'],
        },
      },
      build('ESM', 'js'),
      build('CommonJS', 'cjs'),
      // Bounds on memory and time: these measure, and need the machine for themselves.
      {
        extends: true,
        test: {
          name: 'bounds',
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          include: ['test/{limits,model}/**/*.test.ts'],
        },
      },
    ],
  },
});
