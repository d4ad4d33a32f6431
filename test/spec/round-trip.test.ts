import { encodeEvent, type ServerSentEvent } from '@tidings/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { expected } from './expected.ts';
import { type Parsed, parseEventStream } from './reference-parser.ts';
import { parseWithThirdParty } from './third-party-parser.ts';

/** What has a meaning in an event stream, or looks like it, or is hard to encode. */
const awkward = fc.constantFrom(
  ...[' ', ':', '\t', '\v', '\x85', '\u2028', '\ufeff', '\ud83d', '\ude00', '😀', 'é', '…'],
  ...['data', 'data: x', 'event:', 'id: 1', 'retry: 1', ': '],
);
const lineBreaks = fc.constantFrom('\r', '\n', '\r\n', '\n\n', '\0');
const anything = fc.string({ unit: 'binary', maxLength: 4 });

const fieldText = fc
  .string({ unit: fc.oneof(awkward, anything), maxLength: 8 })
  .map(text => text.replace(/[\r\n\0]/g, ''));
const text = fc.string({ unit: fc.oneof(awkward, lineBreaks, anything), maxLength: 12 });

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  text.map(value => Buffer.from(value)),
  text.map(value => new TextEncoder().encode(`<${value}>`).subarray(1, -1)),
);

const event: fc.Arbitrary<ServerSentEvent> = fc.record(
  {
    data: fc.oneof(text, fc.jsonValue(), bytes),
    id: fieldText,
    event: fieldText,
    retry: fc.nat(Number.MAX_SAFE_INTEGER),
  },
  { requiredKeys: ['data'] },
);

/** Where to cut a stream: few cuts, many, or at every byte. */
const cuts = fc.oneof(fc.array(fc.nat()), fc.constant('every byte' as const));

it('a client receives exactly the sent events, however the bytes are split', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 12 }), cuts, (events, at) => {
      const stream = Buffer.from(`:\n\n${events.map(encodeEvent).join('')}`);
      const texts = decode(cut(stream, at));
      const wanted: Parsed = expected([{ comment: '' }, ...events]);
      expect(parseEventStream(texts.join(''))).toEqual(wanted);
      expect(parseWithThirdParty(texts)).toEqual(wanted);
    }),
    { numRuns: 2_000 },
  );
});

it('no event is dispatched before its last byte', () => {
  fc.assert(
    fc.property(event, item => {
      const encoded = encodeEvent(item);
      for (let length = 0; length < encoded.length; length++) {
        expect(parseEventStream(encoded.slice(0, length)).events).toEqual([]);
      }
      expect(parseEventStream(encoded).events).toHaveLength(1);
    }),
  );
});

function cut(stream: Uint8Array, at: number[] | 'every byte'): Uint8Array[] {
  if (at === 'every byte') return Array.from(stream, byte => Uint8Array.of(byte));
  const places = [...at.map(place => place % (stream.length + 1)), stream.length].sort((a, b) => a - b);
  return places.map((place, i) => stream.subarray(places[i - 1] ?? 0, place));
}

/** As a client does: one BOM at the very start is stripped, and none after. */
function decode(chunks: Uint8Array[]): string[] {
  const decoder = new TextDecoder();
  return [...chunks.map(chunk => decoder.decode(chunk, { stream: true })), decoder.decode()];
}
