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
          // Its files wait more than they compute. What measures, or drives other programs, comes after, a file at a time.
          maxWorkers: 4,
          sequence: { groupOrder: 0 },
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
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ['test/{limits,model}/**/*.test.ts'],
        },
      },
      // What needs more of the machine than Node: programs that `npm test` installs where it can.
      {
        extends: true,
        test: {
          name: 'system',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ['test/{browser,brokers,examples}/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      // What is between a server and its users: see docs/compatibility.md.
      {
        extends: true,
        test: {
          name: 'real-world',
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          include: ['test/real-world/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
    ],
  },
});
