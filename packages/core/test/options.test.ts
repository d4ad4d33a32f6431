import { describe, expect, it } from 'vitest';
import {
  type CloseOptions,
  type HubOptions,
  readCloseOptions,
  readHubOptions,
  readStreamOptions,
} from '../src/options.ts';
import type { StreamOptions } from '../src/stream.ts';

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
      heartbeat: 15_000,
      maxBufferedBytes: 1024 * 1024,
      stallTimeout: 60_000,
      maxAge: NEVER,
      maxStreams: NEVER,
      maxPerClient: NEVER,
    });
    const { channel: _, ...settings } = readHubOptions({});
    expect(readHubOptions({ heartbeat: undefined, limits: undefined, onError: undefined })).toMatchObject(
      settings,
    );
  });

  it('are taken as they are', () => {
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
      heartbeat: 1,
      maxBufferedBytes: 0,
      stallTimeout: 2,
      maxAge: 3,
      maxStreams: 0,
      maxPerClient: 4,
      onError,
    });
  });

  it.each(['heartbeat', 'stallTimeout', 'maxAge'] as const)('%s can be switched off', name => {
    expect(readHubOptions({ [name]: false })[name]).toBe(NEVER);
  });

  it('set how late the clock may be: it follows the shortest of them, within reason', () => {
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
    ['stallTimeout', 0],
    ['stallTimeout', Number.NaN],
    ['maxAge', 0],
    ['maxAge', 'long'],
    ['maxBufferedBytes', -1],
    ['maxBufferedBytes', Number.NaN],
    ['onError', 'log'],
  ])('%s: %s is refused, and the option named', (name, value) => {
    expect(() => readHubOptions({ [name]: value } as HubOptions)).toThrow(invalid(name));
  });

  it.each(['streams', 'perClient'])('limits.%s, too', name => {
    expect(() => readHubOptions({ limits: { [name]: -1 } })).toThrow(invalid(`limits.${name}`));
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

  it('may be 0, and one number twice', () => {
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
    ['headers', { 'bad name': 'x' }],
    ['headers', { name: 'a\r\nset-cookie: b' }],
    ['headers', { name: '…' }],
  ])('%s: %j is refused, and the option named', (name, value) => {
    expect(() => readStreamOptions({ [name]: value } as StreamOptions)).toThrow(invalid(name));
  });

  it('do not touch the headers that make it a stream', () => {
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

describe('a value that cannot even be shown', () => {
  it('is named as what it is', () => {
    const value = Object.create(null);
    expect(() => readStreamOptions({ client: value })).toThrow('client must be a string; got object');
    expect(() => readCloseOptions({ within: value })).toThrow(
      /^within must be an integer of ms.*; got object$/,
    );
  });
});
