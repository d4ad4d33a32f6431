import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Clock } from './clock.ts';
import { fault, move, often, setting, wish } from './moves.ts';
import { Run } from './run.ts';

const clock = new Clock();
beforeEach(() => clock.start());
afterEach(() => clock.stop());

it.each([
  ['in one process', 0],
  ['on one node with a broker', 1],
  ['on two nodes', 2],
])(
  'loses nothing, repeats nothing and keeps the order, or says so: %s',
  async (_, nodes) => {
    let resets = 0;
    const moves = nodes === 0 ? move : fc.oneof(often(6, move), often(1, fault));
    await fc.assert(
      fc
        .asyncProperty(
          fc.tuple(setting, setting, setting),
          fc.boolean(),
          fc.array(wish, { minLength: 3, maxLength: 9 }),
          fc.array(moves, { minLength: 10, maxLength: 80, size: 'max' }),
          async (settings, isSlow, wishes, steps) => {
            const run = new Run(nodes, settings, isSlow, clock);
            for (const wish of wishes) run.subscribe(wish);
            for (const each of run.clients) each.connect();
            for (const step of steps) await run.do(step);
            await run.settle();
            clock.clear();
            for (const each of run.clients) {
              resets += each.resets;
              expect(each.failure).toBe('');
              expect([each.name, each.isOpen, each.isPlaced]).toEqual([each.name, true, true]);
              expect(each.lacks ? `${each.name} lacks ${each.lacks}` : '').toBe('');
            }
          },
        )
        .afterEach(() => clock.clear()),
      // The same courses each time; `npm run test:long` takes others. SEED and COURSE run one that failed again,
      // and SHRINK looks for a shorter one.
      {
        numRuns: Number(process.env.RUNS ?? 2000),
        seed: Number(process.env.SEED ?? 1),
        path: process.env.COURSE ?? '',
        endOnFailure: !process.env.SHRINK,
      },
    );
    console.log(`resets: ${resets}`);
  },
  300_000,
);
