import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type SubscribeOptions } from '@tidings/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Model, ModelClient, type Published } from './client.ts';

const CHANNELS = ['a', 'b', 'c'];
const CLIENTS = ['ann', 'bob', 'cid'];

const channel = fc.constantFrom(...CHANNELS);
const client = fc.nat(CLIENTS.length - 1);
const options: fc.Arbitrary<SubscribeOptions> = fc.record(
  {
    from: fc.oneof(fc.constantFrom('now' as const, 'start' as const), fc.record({ last: fc.nat(5) })),
    filter: fc.constant(({ data }: { data: string }) => JSON.parse(data).n % 2 === 0),
  },
  { requiredKeys: [] },
);

const move = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      move: fc.constant('publish' as const),
      channel,
      count: fc.constant(1),
      key: fc.nat(3),
      except: fc.option(client, { freq: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('publish' as const),
      channel,
      count: fc.integer({ min: 2, max: 30 }),
      key: fc.nat(3),
      except: fc.constant(null),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ move: fc.constant('turn' as const), turns: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ move: fc.constant('connect' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({
      move: fc.constant('foreign' as const),
      client,
      id: fc.constantFrom('x', 'abc-5', '', '0-0', 'x'.repeat(4096)),
    }),
  },
  { weight: 2, arbitrary: fc.record({ move: fc.constant('subscribe' as const), client, channel, options }) },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('unsubscribe' as const), client, channel }) },
  {
    weight: 3,
    arbitrary: fc.record({
      move: fc.constantFrom(
        'stall' as const,
        'sip' as const,
        'read' as const,
        'cut' as const,
        'send' as const,
      ),
      client,
    }),
  },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('end' as const), channel }) },
);

const setting = fc.record({
  history: fc.oneof(
    fc.constant(false as const),
    fc.record({ events: fc.integer({ min: 1, max: 40 }) }),
    fc.constant({ events: 1e6 }),
  ),
  compact: fc.boolean(),
  overflow: fc.constantFrom('reset' as const, 'disconnect' as const),
  /** Turns that a snapshot takes. */
  snapshot: fc.option(fc.nat(4)),
});

it('loses nothing, repeats nothing and keeps the order, or says so', async () => {
  let resets = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(setting, setting, setting),
      fc.array(fc.record({ client, channel, options }), { minLength: 1, maxLength: 6 }),
      fc.array(move, { maxLength: 60, size: 'max' }),
      async (settings, wishes, moves) => {
        const settingOf = (name: string) => settings[CHANNELS.indexOf(name)] ?? settings[0];
        const compacted = (name: string) => settingOf(name).compact;
        const channels = (name: string) => {
          const { snapshot, ...rest } = settingOf(name);
          if (snapshot === null) return rest;
          return {
            ...rest,
            async snapshot() {
              const state = { channel: name, n };
              for (let i = 0; i < snapshot; i++) await turn();
              return state;
            },
          };
        };
        const hub = createHub({
          channels,
          heartbeat: false,
          stallTimeout: false,
          onError: () => {},
        });
        const ended = new Set<string>();
        let n = 0;
        const newest = new Map(CHANNELS.map(name => [name, new Map<string, Published>()]));
        const events = (name: string) => {
          const { history } = settingOf(name);
          return history === false ? 0 : history.events;
        };
        const model: Model = {
          published: () => n,
          compacted,
          current: name =>
            (events(name) >= 4 && settingOf(name).snapshot === null ? newest.get(name) : undefined) ??
            new Map(),
          keepsAll: () => CHANNELS.every(name => events(name) === 1e6),
        };
        const pass = async () => {
          await turn();
          for (const each of clients) each.turn();
        };
        const clients = CLIENTS.map(name => new ModelClient(name, hub, model));
        for (const wish of wishes) clients[wish.client]?.subscribe(wish);
        for (const each of clients) each.connect();
        for (const step of moves) {
          const who = 'client' in step ? clients[step.client] : undefined;
          if (step.move === 'publish') {
            for (let i = 0; i < step.count && !ended.has(step.channel); i++) {
              n += 1;
              const key = `k${(step.key + i) % 4}`;
              const except = step.except === null ? undefined : CLIENTS[step.except];
              const published: Published = { n, channel: step.channel, key, except };
              for (const each of clients) each.owe(published);
              newest.get(step.channel)?.set(key, published);
              hub.publish(step.channel, published, { key, except });
            }
          } else if (step.move === 'turn') for (let i = 0; i < step.turns; i++) await pass();
          else if (step.move === 'connect') who?.connect();
          else if (step.move === 'foreign') who?.connect(step.id);
          else if (step.move === 'subscribe') who?.subscribe(step);
          else if (step.move === 'unsubscribe') who?.unsubscribe(step.channel);
          else if (step.move === 'end') {
            ended.add(step.channel);
            hub.channel(step.channel).end();
          } else who?.[step.move]();
        }
        // In the end everybody reads, and comes back as often as it is told to.
        for (let i = 0; i < 12; i++) {
          for (const each of clients) {
            each.read();
            each.connect();
          }
          for (let j = 0; j < 6; j++) await pass();
        }
        for (const each of clients) {
          resets += each.resets;
          expect(each.failure).toBe('');
          expect([each.name, each.isConnected || each.wishes.size === 0]).toEqual([each.name, true]);
          expect(each.isSatisfied ? '' : `${each.name} lacks ${each.lacks}`).toBe('');
        }
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 3000) },
  );
  console.log(`resets: ${resets}`);
}, 300_000);
