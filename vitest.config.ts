import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            'packages/*/test/**/*.test.ts',
            'test/*.test.ts',
            'test/{contract,spec,channels,docs}/**/*.test.ts',
          ],
        },
      },
      // Bounds on memory and time, and the model: what takes long, or measures.
      {
        extends: true,
        test: {
          name: 'bounds',
          include: ['test/{limits,model}/**/*.test.ts'],
        },
      },
      // What needs more of the machine than Node: programs that `npm test` installs where it can.
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{browser,brokers,examples}/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      // What is between a server and its users: see docs/compatibility.md.
      {
        extends: true,
        test: {
          name: 'real-world',
          include: ['test/real-world/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
