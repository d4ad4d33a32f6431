import fc from 'fast-check';

export const CHANNELS = ['a', 'b', 'c'];
export const CLIENTS = ['ann', 'bob', 'cid'];
export const KEYS = 4;
/** Events that no history ever has. */
export const PLENTY = 1e6;
/** Ms. */
export const HEARTBEAT = 3_200;
/** Ms that the short histories reach back. */
const AGE = 1_000;

type Of<Arbitrary> = Arbitrary extends fc.Arbitrary<infer T> ? T : never;
const a = <Name extends string>(...moves: Name[]) => fc.constantFrom(...moves);
export const often = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary });

const channel = fc.constantFrom(...CHANNELS);
const client = fc.nat(CLIENTS.length - 1);
const node = fc.nat(1);

/** Ids: of what was published so long ago, or none of these hubs. */
const id = fc.oneof(
  { weight: 4, arbitrary: fc.nat(12) },
  { weight: 1, arbitrary: fc.constantFrom('future' as const, 'x', 'abc-5', '', '0-0', 'x'.repeat(4096)) },
);
export type Id = Of<typeof id>;

const beginning = fc.option(
  fc.oneof(
    fc.constantFrom('now' as const, 'start' as const),
    fc.record({ last: fc.nat(5) }),
    fc.record({ after: id }),
  ),
  { nil: undefined, freq: 2 },
);
export type Wanted = Of<typeof beginning>;

const wanting = {
  client,
  channel,
  from: beginning,
  isPicky: fc.boolean(),
};

/** A subscription, before there are ids. */
export const wish = fc.record(wanting);
export type Wanting = Of<typeof wish>;

const event = {
  channel,
  key: fc.nat(KEYS - 1),
  except: fc.oneof(often(7, fc.constant(null)), often(1, client)),
  /** It is the last of its key. */
  gone: fc.integer({ min: 0, max: 9 }).map(n => n === 9),
};

/** What an application, or its users, can do. */
export const move = fc.oneof(
  often(6, fc.record({ ...event, move: a('publish'), count: fc.constant(1) })),
  often(2, fc.record({ ...event, move: a('publish'), count: fc.integer({ min: 2, max: 30 }) })),
  often(1, fc.record({ ...event, move: a('fill'), count: fc.integer({ min: 2, max: 10 }) })),
  often(2, fc.record({ ...event, move: a('interject'), client })),
  often(5, fc.record({ move: a('turn'), turns: fc.integer({ min: 1, max: 4 }) })),
  often(1, fc.record({ move: a('wait'), ms: fc.constantFrom(50, AGE, 2 * HEARTBEAT) })),
  often(5, fc.record({ move: a('connect'), client, node })),
  often(1, fc.record({ move: a('connectWith'), client, id })),
  often(1, fc.record({ move: a('ask'), client, node })),
  often(2, fc.record({ ...wanting, move: a('subscribe') })),
  often(1, fc.record({ move: a('unsubscribe'), client, channel })),
  often(3, fc.record({ move: a('stall', 'sip', 'read', 'send'), client })),
  often(3, fc.record({ move: a('cut'), client })),
  often(1, fc.record({ move: a('close', 'fault'), client })),
  often(1, fc.record({ move: a('end', 'failSnapshot'), channel })),
);

/** What can befall a broker. */
export const fault = fc.record({ move: a('away', 'back', 'lag', 'catchUp', 'lose', 'wipe'), node });

/** How a channel is kept. */
export const setting = fc.record({
  history: fc.oneof(
    fc.constant(false as const),
    fc.record({ events: fc.integer({ min: 1, max: 40 }) }),
    fc.constant({ events: PLENTY, bytes: 1e9 }),
    fc.constant({ events: PLENTY, bytes: 1e9, age: AGE }),
  ),
  compact: fc.boolean(),
  overflow: a('reset', 'disconnect'),
  /** Turns that a snapshot takes. */
  snapshot: fc.option(fc.nat(12), { freq: 2 }),
});
export type Setting = Of<typeof setting>;
export type Move = Of<typeof move>;
export type Fault = Of<typeof fault>;
export type Event = Pick<Extract<Move, { move: 'publish' }>, keyof typeof event>;
