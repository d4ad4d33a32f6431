import { setImmediate as turn } from 'node:timers/promises';
import { createHub, type Hub, type SubscribeOptions } from '@tidings/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Model, ModelClient, type Published } from './client.ts';
import { SharedLog, VirtualBroker } from './shared-log.ts';

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
  { weight: 3, arbitrary: fc.record({ move: fc.constant('connect' as const), client, node: fc.nat(1) }) },
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

/** What can befall a broker. */
const fault = fc.record({
  move: fc.constantFrom(
    'away' as const,
    'back' as const,
    'lag' as const,
    'catchUp' as const,
    'lose' as const,
    'wipe' as const,
  ),
  node: fc.nat(1),
});

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

it.each([
  ['in one process', 0],
  ['on one node with a broker', 1],
  ['on two nodes', 2],
])(
  'loses nothing, repeats nothing and keeps the order, or says so: %s',
  async (_, nodes) => {
    let resets = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(setting, setting, setting),
        fc.array(fc.record({ client, channel, options }), { minLength: 1, maxLength: 6 }),
        fc.array(
          nodes === 0 ? move : fc.oneof({ weight: 6, arbitrary: move }, { weight: 1, arbitrary: fault }),
          {
            maxLength: 60,
            size: 'max',
          },
        ),
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
          const log = new SharedLog();
          const brokers = Array.from({ length: nodes }, () => new VirtualBroker(log));
          const quiet = { channels, heartbeat: false, stallTimeout: false, onError: () => {} } as const;
          const hubs =
            nodes === 0 ? [createHub(quiet)] : brokers.map(broker => createHub({ ...quiet, broker }));
          const hub = hubs[0] as Hub;
          const ended = new Set<string>();
          let n = 0;
          let publishing = 0;
          const newest = new Map(CHANNELS.map(name => [name, new Map<string, Published>()]));
          const events = (name: string) => {
            const { history } = settingOf(name);
            return history === false ? 0 : history.events;
          };
          const model: Model = {
            published: () => n,
            isPublishing: () => publishing > 0,
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
          const clients = CLIENTS.map(name => new ModelClient(name, hubs, model));
          // A channel is read in small pages.
          if (nodes > 0) for (const each of clients) each.patience = 40;
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
                publishing += 1;
                hub.publish(step.channel, published, { key, except }).finally(() => {
                  publishing -= 1;
                });
              }
            } else if (step.move === 'turn') for (let i = 0; i < step.turns; i++) await pass();
            else if (step.move === 'connect') who?.connect(undefined, step.node);
            else if (step.move === 'foreign') who?.connect(step.id);
            else if (step.move === 'subscribe') who?.subscribe(step);
            else if (step.move === 'unsubscribe') who?.unsubscribe(step.channel);
            else if (step.move === 'end') {
              ended.add(step.channel);
              hub.channel(step.channel).end();
            } else if (step.move === 'send') {
              // What is on its way to a broker has no place yet.
              if (nodes === 0) who?.send();
            } else if ('node' in step) {
              const broker = brokers[step.node % nodes];
              if (step.move === 'away' || step.move === 'back') {
                log.isAway = step.move === 'away';
                if (log.isAway) for (const each of clients) each.patience = Number.POSITIVE_INFINITY;
              } else if (step.move === 'lag' && broker !== undefined) broker.isBehind = true;
              else if (step.move === 'catchUp') broker?.catchUp();
              else {
                for (const each of clients) each.disturb();
                if (step.move === 'lose') broker?.lose();
                else {
                  for (const keys of newest.values()) keys.clear();
                  log.wipe();
                }
              }
            } else who?.[step.move]();
          }
          log.isAway = false;
          for (const broker of brokers) broker.catchUp();
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
  },
  300_000,
);
