import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import LongestFirst from './test/support/sequencer.ts';

// Where the packages are packed. Among the tests, so that the frameworks are found as from any other. Workers inherit it.
const packed = fileURLToPath(new URL(`test/.packed-${process.pid}`, import.meta.url));
process.env.TIDINGS_PACKED = packed;

/** Global setups: see there. */
const PACKED = 'test/support/packed.ts';
const CHROMIUM = 'test/support/chromium.ts';

/** Brokers that need only Node.js. */
const SQLITE = 'test/brokers/sqlite{,-faults,-hub,-replaced,-retention}.test.ts';

/** They run side by side, with ports, folders and servers of their own. */
const waiting = { maxWorkers: 4, sequence: { groupOrder: 0 } };

/**
 * Each of these has pages of a browser, proxies or networks. With more than two files at once, pages took longer than
 * their tests wait. scripts/test.mjs runs them beside those of the first group.
 */
const browsing = { maxWorkers: 2, sequence: { groupOrder: 1 } };

/** These have bounds on time, throughput or their own heap. Each file runs alone. */
const measured = [
  'test/limits/{broadcast,channels,drain,leaks,pause,reconnect}.test.ts',
  'test/model/broker*.test.ts',
  'test/brokers/redis-faults.test.ts',
];

/** A part of the contract, against a format of the packages as they are packed. */
function build(name: string, extension: string): TestProjectInlineConfiguration {
  return {
    extends: true,
    resolve: {
      alias: [
        { find: /^(@tidings\/\w+)$/, replacement: `${packed}/node_modules/$1/dist/index.${extension}` },
        { find: /^(@tidings\/\w+)\/(\w+)$/, replacement: `${packed}/node_modules/$1/dist/$2.${extension}` },
      ],
    },
    test: {
      name,
      ...waiting,
      globalSetup: PACKED,
      env: { PACKED_FORMAT: extension },
      include: ['test/builds/contract.test.ts'],
    },
  };
}

const projects: TestProjectInlineConfiguration[] = [
  // Node.js only: `npm run test:unit`.
  {
    extends: true,
    test: {
      name: 'unit',
      ...waiting,
      include: [
        'packages/*/test/**/*.test.ts',
        'test/{contract,spec,channels,frameworks}/**/*.test.ts',
        'test/inspector/{http,shown}.test.ts',
        SQLITE,
      ],
    },
  },
  // These run programs that `npm test` installs where it can.
  {
    extends: true,
    test: {
      name: 'system',
      ...waiting,
      include: [
        'test/{brokers,metrics}/**/*.test.ts',
        'test/examples/{fresh,start,stop}.test.ts',
        // Measures the heap of a child process that does nothing else.
        'test/limits/cost.test.ts',
      ],
      exclude: [...measured, SQLITE],
    },
  },
  {
    extends: true,
    test: {
      name: 'browsers',
      ...browsing,
      globalSetup: CHROMIUM,
      include: ['test/{board,browser}/**/*.test.ts', 'test/inspector/page.test.ts'],
    },
  },
  // What is between a server and its users: see docs/compatibility.md.
  {
    extends: true,
    test: {
      name: 'real-world',
      ...browsing,
      globalSetup: CHROMIUM,
      include: ['test/real-world/**/*.test.ts'],
    },
  },
  // What the documentation shows.
  {
    extends: true,
    test: { name: 'docs', ...waiting, include: ['test/*.test.ts', 'test/docs/**/*.test.ts'] },
  },
  // The engine under random moves.
  {
    extends: true,
    test: {
      name: 'model',
      ...waiting,
      include: ['test/model/{engine,known,membership,mutations}.test.ts'],
    },
  },
  // The packages as npm would publish them.
  {
    extends: true,
    test: {
      name: 'packed',
      ...waiting,
      globalSetup: PACKED,
      include: [
        'test/examples/copies.test.ts',
        'test/builds/{bundlers,client,commonjs,frameworks,idle-heap,jest,metrics,native,next,sites,sqlite}.test.ts',
      ],
    },
  },
  build('ESM', 'js'),
  build('CommonJS', 'cjs'),
  {
    extends: true,
    test: {
      name: 'bounds',
      maxWorkers: 1,
      sequence: { groupOrder: 2 },
      include: measured,
    },
  },
];

/** scripts/test.mjs runs each group in a process of its own. Absent: all of them, one after the other. */
const { TIDINGS_TEST_GROUP: group } = process.env;
const isInGroup = ({ test }: TestProjectInlineConfiguration) => test?.sequence?.groupOrder === Number(group);

export default defineConfig({
  test: {
    // These limits only stop a test that hangs. On a busy machine, any test may take long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default', './test/support/skipped.ts'],
    sequence: { sequencer: LongestFirst },
    projects: group === undefined ? projects : projects.filter(isInGroup),
  },
});
