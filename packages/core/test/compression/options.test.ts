import { describe, expect, it } from 'vitest';
import { createHub } from '../../src/index.ts';
import { acceptsGzip } from '../../src/protocol/accept-encoding.ts';
import { joinVary } from '../../src/stream/vary.ts';

describe('the option compression', () => {
  it.each([
    [{ compression: 'gzip' }, 'compression must be'],
    [{ compression: { minStreams: 0 } }, 'compression.minStreams must be'],
    [{ compression: { level: 9 } }, 'compression.level'],
  ])('%j is rejected with its name', (options, message) => {
    expect(() => createHub(options as never)).toThrow(message);
  });

  it('of a channel is a boolean', () => {
    const hub = createHub({ compression: { minStreams: 2 } });
    expect(() => hub.channel('a', { compression: 'no' as never })).toThrow('compression must be');
    expect(() => hub.channel('a', { compression: false })).not.toThrow();
  });
});

describe('Accept-Encoding', () => {
  it.each([
    ['gzip', true],
    ['gzip, deflate, br', true],
    ['br;q=1.0, GZIP;q=0.5', true],
    ['x-gzip', true],
    ['*', true],
    ['gzip ; q=0.001', true],
    ['identity, gzip;q=0.5', false],
    ['gzip;q=0', false],
    ['*;q=0', false],
    ['br', false],
    ['*, gzip;q=0', false],
    ['gzip;q=high', false],
    ['', false],
    [undefined, false],
  ])('%j: gzip is accepted: %s', (header, isAccepted) => {
    expect(acceptsGzip(header)).toBe(isAccepted);
  });
});

describe('Vary', () => {
  it.each([
    [[undefined, 'Accept-Encoding'], 'Accept-Encoding'],
    [['Origin', 'Accept-Encoding'], 'Origin, Accept-Encoding'],
    [['origin, accept-encoding', 'Accept-Encoding'], 'origin, accept-encoding'],
    [[['Origin', 'Cookie'], 'Accept-Encoding'], 'Origin, Cookie, Accept-Encoding'],
  ])('%j are joined to %s', (values, joined) => {
    expect(joinVary(...values)).toBe(joined);
  });
});
