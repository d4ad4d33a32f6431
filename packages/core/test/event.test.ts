import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import { TidingsError } from '../src/base/errors.ts';
import {
  type EventFields,
  encode,
  encodeComment,
  encodeEvent,
  encodeRetry,
  isBytes,
} from '../src/protocol/event.ts';

function refusal(fields: Record<string, unknown>): TidingsError {
  try {
    encodeEvent({ data: 'x', ...(fields as EventFields) });
  } catch (error) {
    expect(error).toBeInstanceOf(TidingsError);
    expect((error as TidingsError).code).toBe('invalid-field');
    return error as TidingsError;
  }
  throw new Error(`accepted ${String(Object.values(fields)[0])}`);
}

describe('data', () => {
  it.each([
    ['a string, as it is', 'x "y"', 'data: x "y"\n\n'],
    ["''", '', 'data: \n\n'],
    ['0', 0, 'data: 0\n\n'],
    ['false', false, 'data: false\n\n'],
    ['null', null, 'data: null\n\n'],
    ['an object, as JSON on one line', { a: ['\r\n', 'é'] }, 'data: {"a":["\\r\\n","é"]}\n\n'],
    [
      'an object with line breaks of Unicode, escaped',
      { '\u2028': '\u0085x\u2029' },
      'data: {"\\u2028":"\\u0085x\\u2029"}\n\n',
    ],
    ['a string with line breaks of Unicode, as it is', '\u0085\u2028\u2029', 'data: \u0085\u2028\u2029\n\n'],
    ['what has a toJSON', new Date(0), 'data: "1970-01-01T00:00:00.000Z"\n\n'],
    ['a Buffer', Buffer.from('é\nb'), 'data: é\ndata: b\n\n'],
    ['a Uint8Array', new TextEncoder().encode('é\rb'), 'data: é\ndata: b\n\n'],
    ['a part of a larger array', Buffer.from('<é>').subarray(1, 3), 'data: é\n\n'],
    ['no bytes', new Uint8Array(), 'data: \n\n'],
    ['bytes that are not UTF-8', Uint8Array.of(0x61, 0xff), 'data: a\ufffd\n\n'],
    ['bytes that begin with a BOM', Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 'data: \ufeffa\n\n'],
    ['bytes of another realm', vm.runInNewContext('Uint8Array.of(104, 105)'), 'data: hi\n\n'],
    ['a lone surrogate', 'a\ud83d', 'data: a\ufffd\n\n'],
    ['halves of a pair that a line break parts', '\ud83d\n\ude00', 'data: \ufffd\ndata: \ufffd\n\n'],
  ])('%s', (_, data, text) => {
    expect(encodeEvent({ data })).toBe(text);
  });

  it.each([
    ['undefined', undefined, /data must be .* got undefined/],
    ['a function', () => {}, /data must be .* got function/],
    ['a symbol', Symbol('s'), /data must be .* got symbol/],
    ['a promise', Promise.resolve(1), /data must not be a promise\. Await it first\./],
    // biome-ignore lint/suspicious/noThenProperty: that is what it is about
    ['a thenable', { then() {} }, /data must not be a promise\. Await it first\./],
    ['what toJSON leaves nothing of', { toJSON() {} }, /data must be/],
    ['a BigInt', 1n, /BigInt/],
  ])('%s is a TypeError', (_, data, message) => {
    expect(() => encodeEvent({ data })).toThrow(TypeError);
    expect(() => encodeEvent({ data })).toThrow(message);
  });

  it('a circular object is a TypeError', () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    expect(() => encodeEvent({ data: circle })).toThrow(TypeError);
  });

  it('rethrows the error of toJSON', () => {
    const failure = new Error('mine');
    const data = {
      toJSON() {
        throw failure;
      },
    };
    expect(() => encodeEvent({ data })).toThrow(failure);
  });

  it('has one field line for each of its lines', () => {
    expect(encodeEvent({ data: 'a\nb\rc\r\nd\n\n\re\r\r\n' })).toBe(
      'data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \ndata: e\ndata: \ndata: \n\n',
    );
    expect(encodeEvent({ data: '\r' })).toBe('data: \ndata: \n\n');
  });
});

describe('fields', () => {
  it('surround the data: event and retry before it, id after it', () => {
    expect(encodeEvent({ data: 'd', retry: 5, event: 'e', id: 'i' })).toBe(
      'event: e\nretry: 5\ndata: d\nid: i\n\n',
    );
  });

  it('are written when they are empty, and not when they are undefined', () => {
    expect(encodeEvent({ data: '', id: '', event: '' })).toBe('event: \ndata: \nid: \n\n');
    expect(encodeEvent({ data: '', id: undefined, event: undefined, retry: undefined })).toBe('data: \n\n');
    expect(encode('')).toBe('data: \n\n');
  });

  it.each(['id', 'event'])('%s is one line without NUL', field => {
    for (const forbidden of ['\r', '\n', '\r\n', '\0']) {
      for (const value of [forbidden, `a${forbidden}`, `${forbidden}a`, `a${forbidden}b`]) {
        expect(refusal({ [field]: value }).message).toMatch(
          new RegExp(`^${field} must be a string without CR, LF or NUL`),
        );
      }
    }
    const allowed = ' \t:\v\f\x85\u2028\ufeff';
    const line = `${field}: ${allowed}\n`;
    const expected = field === 'id' ? `data: \n${line}\n` : `${line}data: \n\n`;
    expect(encodeEvent({ data: '', [field]: allowed })).toBe(expected);
  });

  it.each(['id', 'event'])('%s is a string', field => {
    for (const value of [1, null, true, {}, ['a'], Symbol('s'), 1n]) {
      expect(refusal({ [field]: value }).message).toMatch(
        new RegExp(`^${field} must be a string without CR, LF or NUL; got `),
      );
    }
  });

  it('retry is an integer of 0 or more', () => {
    for (const value of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e21, '5', '', null, true, [5], 5n]) {
      expect(refusal({ retry: value }).message).toMatch(/^retry must be an integer of ms, 0 or more/);
    }
    for (const [value, text] of [
      [0, '0'],
      [-0, '0'],
      [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ] as const) {
      expect(encodeEvent({ data: '', retry: value })).toBe(`retry: ${text}\ndata: \n\n`);
    }
  });

  it('are shown in the error, but shortened', () => {
    expect(refusal({ id: 'a\nb' }).message).toContain('got "a\\nb"');
    expect(refusal({ id: `\n${'x'.repeat(1_000)}` }).message.length).toBeLessThan(200);
  });

  it('with a lone surrogate are well formed', () => {
    expect(encodeEvent({ data: '', id: '\ud83d', event: '\ude00' })).toBe(
      'event: \ufffd\ndata: \nid: \ufffd\n\n',
    );
  });
});

describe('a comment', () => {
  it('is one colon when it is empty', () => {
    expect(encodeComment('')).toBe(':\n');
  });

  it('stays a comment on each of its lines', () => {
    expect(encodeComment('a\ndata: b\rc\r\n\nd\ud83d')).toBe(': a\n: data: b\n: c\n: \n: d\ufffd\n');
  });
});

it('a retry alone is a block of its own', () => {
  expect(encodeRetry(0)).toBe('retry: 0\n\n');
  expect(() => encodeRetry(-1)).toThrow(expect.objectContaining({ code: 'invalid-field' }));
});

it('bytes are Uint8Arrays of any realm, and nothing else', () => {
  for (const bytes of [new Uint8Array(1), Buffer.alloc(1), vm.runInNewContext('new Uint8Array(1)')]) {
    expect(isBytes(bytes)).toBe(true);
  }
  const forged = { [Symbol.toStringTag]: 'Uint8Array' };
  for (const other of [
    new Uint16Array(1),
    new DataView(new ArrayBuffer(1)),
    [1],
    'a',
    null,
    undefined,
    forged,
  ]) {
    expect(isBytes(other)).toBe(false);
  }
});
