import { describe, expect, it } from 'vitest';
import {
  readSubscribeOptions,
  type SubscribeOptions,
} from '../src/delivery/subscriptions/subscribe-options.ts';
import { type CloseOptions, readCloseOptions } from '../src/hub/closing/close-options.ts';
import { type HubOptions, readHubOptions } from '../src/hub/options/options.ts';
import type { StreamOptions } from '../src/stream/event-stream.ts';
import { readStreamOptions } from '../src/stream/stream-options.ts';

const NEVER = Number.POSITIVE_INFINITY;

function invalid(name: string): unknown {
  return expect.objectContaining({
    name: 'TidingsError',
    code: 'invalid-option',
    message: expect.stringMatching(new RegExp(`^${name}\\b`)),
  });
}

describe('options of a hub', () => {
  it('have defaults', () => {
    expect(readHubOptions({})).toMatchObject({
      heartbeat: { interval: 15_000, event: undefined },
      maxBufferedBytes: 1024 * 1024,
      stallTimeout: 60_000,
      maxAge: NEVER,
      maxStreams: NEVER,
      maxPerClient: NEVER,
    });
    const { channel: _, onError: __, ...settings } = readHubOptions({});
    expect(readHubOptions({ heartbeat: undefined, limits: undefined, onError: undefined })).toMatchObject(
      settings,
    );
  });

  it('are accepted unchanged', () => {
    const onError = () => {};
    expect(
      readHubOptions({
        heartbeat: 1,
        maxBufferedBytes: 0,
        stallTimeout: 2,
        maxAge: 3,
        limits: { streams: 0, perClient: 4 },
        onError,
      }),
    ).toMatchObject({
      heartbeat: { interval: 1, event: undefined },
      maxBufferedBytes: 0,
      stallTimeout: 2,
      maxAge: 3,
      maxStreams: 0,
      maxPerClient: 4,
      onError,
    });
  });

  it.each(['stallTimeout', 'maxAge'] as const)('%s can be switched off', name => {
    expect(readHubOptions({ [name]: false })[name]).toBe(NEVER);
  });

  it('heartbeat can be switched off, and may be an event', () => {
    expect(readHubOptions({ heartbeat: false }).heartbeat).toMatchObject({ interval: NEVER });
    expect(readHubOptions({ heartbeat: { event: 'ping' } }).heartbeat).toMatchObject({
      interval: 15_000,
      event: 'ping',
    });
    expect(readHubOptions({ heartbeat: { interval: 5 } }).heartbeat).toMatchObject({
      interval: 5,
      event: undefined,
    });
  });

  it.each<[string, unknown]>([
    ['heartbeat.interval', { interval: 0 }],
    ['heartbeat.event', { event: '' }],
    ['heartbeat.event', { event: 'a\nb' }],
    ['heartbeat.event', { event: 5 }],
  ])('%s: %s is refused, and the option named', (name, heartbeat) => {
    expect(() => readHubOptions({ heartbeat } as HubOptions)).toThrow(invalid(name));
  });

  it('history.age can be switched off', () => {
    expect(readHubOptions({ history: { age: false } }).channel('a')).toMatchObject({
      age: NEVER,
      events: 256,
    });
  });

  it('set the precision of the clock by the shortest of them, within bounds', () => {
    const off = { heartbeat: false, stallTimeout: false, maxAge: false } as const;
    expect(readHubOptions(off).precision).toBe(1_000);
    expect(readHubOptions({ ...off, maxAge: 3_200 }).precision).toBe(100);
    expect(readHubOptions({ ...off, heartbeat: 3_200 }).precision).toBe(100);
    expect(readHubOptions({ ...off, stallTimeout: 3_200 }).precision).toBe(100);
    expect(readHubOptions({ heartbeat: 1 }).precision).toBe(5);
  });

  it.each<[string, unknown]>([
    ['heartbeat', 0],
    ['heartbeat', -1],
    ['heartbeat', 'often'],
    ['heartbeat', []],
    ['stallTimeout', 0],
    ['stallTimeout', Number.NaN],
    ['maxAge', 0],
    ['maxAge', 'long'],
    ['maxBufferedBytes', -1],
    ['maxBufferedBytes', Number.NaN],
    ['onError', 'log'],
    ['limits', null],
    ['limits', 5],
    ['limits', []],
    ['history', null],
    ['history', true],
    ['history', 5],
    ['history', 'all'],
    ['history', []],
    ['channels', null],
    ['channels', {}],
    ['observer', null],
    ['observer', 5],
    ['observer', []],
    ['observer', () => {}],
    ['resetEvent', ''],
    ['resetEvent', null],
    ['resetEvent', 5],
    ['resetEvent', 'a\nb'],
    ['resetEvent', 'a\rb'],
    ['resetEvent', 'a\0b'],
  ])('%s: %s is refused, and the option named', (name, value) => {
    expect(() => readHubOptions({ [name]: value } as HubOptions)).toThrow(invalid(name));
  });

  it.each<[string, unknown]>([
    ['limits.streams', -1],
    ['limits.streams', 0.5],
    ['limits.streams', '5'],
    ['limits.streams', Number.NaN],
    ['limits.perClient', -1],
    ['limits.perClient', 0],
    ['limits.perClient', 1.5],
    ['limits.perClient', null],
    ['history.events', -1],
    ['history.events', 0.5],
    ['history.events', null],
    ['history.bytes', -1],
    ['history.bytes', '1 MB'],
    ['history.age', 0],
    ['history.age', -1],
    ['history.age', Number.NaN],
    ['history.age', '1 h'],
    ...['opened', 'closed', 'published', 'delivered', 'lagging', 'reset', 'replayed', 'dropped'].map(
      (name): [string, unknown] => [`observer.${name}`, 'log'],
    ),
  ])('%s: %s, too', (path, value) => {
    const [group, name] = path.split('.') as [string, string];
    expect(() => readHubOptions({ [group]: { [name]: value } } as HubOptions)).toThrow(invalid(path));
  });

  it.each([null, 5, 'fast', []])('must be an object: %j is refused', options => {
    expect(() => readHubOptions(options as HubOptions)).toThrow(invalid('options'));
  });

  it('accept a history without a bound, and no history', () => {
    const all = { events: NEVER, bytes: NEVER, age: NEVER };
    expect(readHubOptions({ history: all }).channel('a')).toMatchObject(all);
    const none = { events: 0, bytes: 0 };
    expect(readHubOptions({ history: none }).channel('a')).toMatchObject(none);
    expect(readHubOptions({ history: false }).channel('a')).toMatchObject({ ...none, age: 0 });
  });
});

describe('options of a channel', () => {
  const standard = { history: { events: 7 } };

  it('default to those of the hub', () => {
    const { channel } = readHubOptions({ ...standard, channels: name => ({ compact: name === 'c' }) });
    expect(channel('a')).toMatchObject({ events: 7, compact: false, overflow: 'reset' });
    expect(channel('c')).toMatchObject({ events: 7, compact: true });
    expect(channel('c', { history: { bytes: 1 } })).toMatchObject({ events: 256, bytes: 1, compact: false });
  });

  it.each<[string, unknown]>([
    ['compact', 1],
    ['compact', null],
    ['snapshot', {}],
    ['snapshot', null],
    ['snapshotEvent', ''],
    ['snapshotEvent', 'a\nb'],
    ['snapshotEvent', null],
    ['overflow', 'drop'],
    ['history', null],
    ['history', true],
    ['history', []],
    ['history', 'all'],
    ['history.events', -1],
    ['history.bytes', Number.NaN],
    ['history.age', 0],
  ])('%s: %j is refused, given by name or by the handle', (path, value) => {
    const [name, inner] = path.split('.') as [string, string?];
    const own = { [name]: inner === undefined ? value : { [inner]: value } };
    expect(() => readHubOptions(standard).channel('a', own)).toThrow(invalid(path));
    expect(() => readHubOptions({ channels: () => own }).channel('a')).toThrow(invalid(path));
  });

  it.each([null, 5, 'compact', []])('must be an object: %j is refused', own => {
    expect(() => readHubOptions({}).channel('a', own as object)).toThrow(invalid('options'));
    expect(() => readHubOptions({ channels: () => own as object }).channel('a')).toThrow(
      invalid('channels must be a synchronous function that returns an object'),
    );
  });

  it('must not be a promise', () => {
    const channels = async () => {
      throw new Error('that nobody awaits');
    };
    expect(() => readHubOptions({ channels: channels as never }).channel('a')).toThrow(
      invalid('channels must be a synchronous function that returns an object'),
    );
  });
});

describe('options of a subscription', () => {
  it.each<SubscribeOptions>([
    {},
    { from: undefined, filter: undefined },
    { from: 'now' },
    { from: 'start' },
    { from: { last: 1 } },
    { from: { after: '' }, filter: () => true },
  ])('are given back: %j', options => {
    expect(readSubscribeOptions(options)).toBe(options);
  });

  it('have one form for beginning now', () => {
    const filter = () => true;
    expect(readSubscribeOptions({ from: { last: 0 }, filter })).toEqual({ from: 'now', filter });
  });

  it.each<[string, unknown]>([
    ['from', null],
    ['from', 'end'],
    ['from', 5],
    ['from', {}],
    ['from', []],
    ['from', { last: -1 }],
    ['from', { last: 0.5 }],
    ['from', { last: '5' }],
    ['from', { after: 5 }],
    ['from', { after: undefined }],
    ['from', { last: 1, after: 'x' }],
    ['filter', null],
    ['filter', 'a'],
  ])('%s: %j is refused, and the option named', (name, value) => {
    expect(() => readSubscribeOptions({ [name]: value })).toThrow(invalid(name));
  });

  it.each([null, 5, 'now', []])('must be an object: %j is refused', options => {
    expect(() => readSubscribeOptions(options as object)).toThrow(invalid('options'));
  });
});

describe('options of hub.close()', () => {
  it('have defaults', () => {
    expect(readCloseOptions({})).toEqual({ within: 10_000, retry: [1_000, 15_000] });
  });

  it.each<[string, CloseOptions]>([
    ['within', { within: -1 }],
    ['within', { within: Number.NaN }],
    ['retry', { retry: [2, 1] }],
    ['retry', { retry: [-1, 1] }],
    ['retry', { retry: [0.5, 1] }],
    ['retry', { retry: [1] as unknown as [number, number] }],
    ['retry', { retry: 1_000 as unknown as [number, number] }],
  ])('%s is named when it is wrong: %j', (name, options) => {
    expect(() => readCloseOptions(options)).toThrow(invalid(name));
  });

  it.each([null, 5, []])('must be an object: %j is refused', options => {
    expect(() => readCloseOptions(options as object)).toThrow(invalid('options'));
  });

  it('may be 0, and the same number twice', () => {
    expect(readCloseOptions({ within: 0, retry: [0, 0] })).toEqual({ within: 0, retry: [0, 0] });
  });
});

describe('options of a stream', () => {
  it('are all optional', () => {
    expect(readStreamOptions({})).toEqual({});
  });

  it.each<[string, unknown]>([
    ['client', 7],
    ['client', null],
    ['retry', -1],
    ['retry', 0.5],
    ['retry', '5'],
    ['expiresAt', 'tomorrow'],
    ['expiresAt', new Date(Number.NaN)],
    ['expiresAt', 1_900_000_000],
    ['headers', { 'bad name': 'x' }],
    ['headers', { name: 'a\r\nset-cookie: b' }],
    ['headers', { name: '…' }],
  ])('%s: %j is refused, and the option named', (name, value) => {
    expect(() => readStreamOptions({ [name]: value } as StreamOptions)).toThrow(invalid(name));
  });

  it.each([null, 5, []])('must be an object: %j is refused', options => {
    expect(() => readStreamOptions(options as object)).toThrow(invalid('options'));
  });

  it('cannot change the headers of the stream itself', () => {
    const headers = {
      'Content-Type': 'text/plain',
      'content-length': '5',
      'Content-Encoding': 'gzip',
      'Transfer-Encoding': 'gzip',
      Connection: 'close',
      'Keep-Alive': 'timeout=1',
      'Cache-Control': 'no-store',
      'X-Mine': 'é',
    };
    expect(readStreamOptions({ headers }).headers).toEqual({ 'cache-control': 'no-store', 'x-mine': 'é' });
  });
});

describe('a refused value', () => {
  it.each<[string, unknown, string]>([
    ['an object', { id: 7, password: 'secret' }, 'an object with id, password'],
    ['an array', [1, 'a', { secret: 1 }], '[1, "a", an object with secret]'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a function', () => {}, 'a function'],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['a date that is none', new Date(Number.NaN), 'an object'],
    ['a long one', { ['x'.repeat(1_000)]: 1 }, `an object with ${'x'.repeat(65)}…`],
  ])('is shown: %s', (_, value, shown) => {
    expect(() => readStreamOptions({ client: value as string })).toThrow(
      expect.objectContaining({ message: `client must be a string; got ${shown}` }),
    );
  });
});
