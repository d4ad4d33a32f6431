import { createParser as createReference } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, createParser } from '../src/connection/parser.ts';

/** What the pieces of a stream are parsed to. */
function parse(...pieces: string[]): { blocks: Block[]; retries: number[] } {
  const blocks: Block[] = [];
  const retries: number[] = [];
  const feed = createParser(
    block => blocks.push(block),
    retry => retries.push(retry),
  );
  for (const piece of pieces) feed(piece);
  return { blocks, retries };
}

const dataOf = (...pieces: string[]) => parse(...pieces).blocks.map(({ data }) => data);

describe('the parser', () => {
  it.each([
    ['LF', 'data: a\n\ndata: b\n\n'],
    ['CR', 'data: a\r\rdata: b\r\r'],
    ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n'],
  ])('reads lines that end in %s, in one piece and character by character', (_, text) => {
    expect(dataOf(text)).toEqual(['a', 'b']);
    expect(dataOf(...text)).toEqual(['a', 'b']);
  });

  it('dispatches at a CR, before it is known whether LF follows', () => {
    expect(dataOf('data: a\r\r')).toEqual(['a']);
    expect(dataOf('data: a\r\r', '\ndata: b\n\n')).toEqual(['a', 'b']);
  });

  it('joins the lines of data, and removes one space', () => {
    expect(dataOf('data: a\ndata:b\ndata:  c\ndata\n\n')).toEqual(['a\nb\n c\n']);
  });

  it('dispatches an event with empty data, and none without data', () => {
    expect(dataOf('data\n\n', 'event: x\n\n', ':comment\n\n', 'data: unfinished')).toEqual(['']);
  });

  it('discards the name of a block without data', () => {
    expect(parse('event: x\n\ndata: a\n\n').blocks[0]?.event).toBe('message');
  });

  it('accepts an id without data and an empty id, and ignores an id with NUL', () => {
    expect(parse('id: 1\n\nid: a\0b\n\nid\n\n').blocks.map(({ id }) => id)).toEqual(['1', '']);
  });

  it('accepts only digits for `retry`', () => {
    expect(parse('retry: 10\nretry: 1e3\nretry:\nretry: -1\nretry: 0\n').retries).toEqual([10, 0]);
  });

  it('reads a long line in many pieces in linear time', () => {
    const text = 'x'.repeat(10_000);
    expect(dataOf('data: ', ...Array(1_000).fill(text), '\n\n')[0]).toHaveLength(10_000_000);
  });

  it('agrees with eventsource-parser, however the text is split', () => {
    const line = fc.oneof(
      fc.constantFrom(
        'data',
        'data:',
        'data: x',
        'data:  y: z',
        'event: tick',
        'event',
        'id: 7',
        ':',
        'other: 1',
      ),
      fc.string({ maxLength: 5 }).map(text => text.replaceAll(/[\r\n]/g, ' ')),
      fc.constant(''),
    );
    const stream = fc.array(line, { maxLength: 30 }).map(lines => `${lines.join('\n')}\n\n`);
    fc.assert(
      fc.property(stream, fc.array(fc.nat(20)), (text, cuts) => {
        const expected: unknown[] = [];
        // It takes three characters for a byte order mark.
        createReference({
          onEvent: ({ event = 'message', data, id }) => expected.push({ event, data, id }),
        }).feed(text);
        const pieces: string[] = [];
        let rest = text;
        for (const cut of cuts) {
          pieces.push(rest.slice(0, cut));
          rest = rest.slice(cut);
        }
        const { blocks } = parse(...pieces, rest);
        expect(blocks.filter(({ data }) => data !== undefined)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});
