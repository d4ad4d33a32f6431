import { connect, type TestClient } from '@tidings/testing';
import { describe, expect, it } from 'vitest';

type Expected = { event?: string; data: string; id?: string } | { comment: string };

/** A client of a stream that comes in pieces of so many bytes, and how the stream ends. */
async function receive(text: string, size = Number.POSITIVE_INFINITY) {
  const bytes = Buffer.from(text);
  let end = () => {};
  const isOver = new Promise<void>(resolve => {
    end = resolve;
  });
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = bytes.subarray(sent, sent + size);
      sent += piece.length;
      if (piece.length > 0) return controller.enqueue(piece);
      await isOver;
      controller.close();
    },
  });
  const headers = { 'content-type': 'text/event-stream' };
  const client = await connect({ fetch: () => new Response(body, { headers }) }, '/', { timeout: 5_000 });
  return { client, end };
}

/** Takes the expected items while the stream is open, and checks that there is nothing else. */
async function take({ client, end }: { client: TestClient; end: () => void }, expected: Expected[]) {
  for (const item of expected) await ('comment' in item ? client.nextComment() : client.next());
  end();
  expect(await client.ended).toBe(true);
  expect(client.items).toEqual(
    expected.map(item => ('comment' in item ? item : { event: 'message', ...item })),
  );
}

const BOM = '\ufeff';
const hundred = Array.from({ length: 100 }, (_, n) => ({ data: `event ${n}` }));

/** What a client has to make of a stream, by the standard. */
const streams: [name: string, text: string, expected: Expected[]][] = [
  ['a line of data', 'data: a\n\n', [{ data: 'a' }]],
  ['an event after another', 'data: a\n\ndata: b\n\n', [{ data: 'a' }, { data: 'b' }]],
  ['several lines of data', 'data: a\ndata:b\ndata:\n\n', [{ data: 'a\nb\n' }]],
  ['empty data', 'data:\n\n', [{ data: '' }]],
  ['a field without a colon', 'data\n\ndata\ndata\n\n', [{ data: '' }, { data: '\n' }]],
  ['a name', 'event: e\ndata: a\n\n', [{ event: 'e', data: 'a' }]],
  [
    'a name for one event only',
    'event: e\ndata: a\n\ndata: b\n\n',
    [{ event: 'e', data: 'a' }, { data: 'b' }],
  ],
  ['an id', 'id: 1\ndata: a\n\n', [{ data: 'a', id: '1' }]],
  ['a name and an id', 'event: e\nid: 1\ndata: a\n\n', [{ event: 'e', data: 'a', id: '1' }]],
  ['fields in another order', 'data: a\nid: 1\nevent: e\n\n', [{ event: 'e', data: 'a', id: '1' }]],
  ['an id with NUL, which is ignored', 'id: 1\0\ndata: a\n\n', [{ data: 'a' }]],
  ['a field that is not known', 'color: red\ndata: a\n\n', [{ data: 'a' }]],
  ['no space after the colon', 'event:e\ndata:a\n\n', [{ event: 'e', data: 'a' }]],
  ['a second space after the colon', 'event:  e\ndata:  a\n\n', [{ event: ' e', data: ' a' }]],
  ['characters of several bytes', 'data: €豆腐😀\n\n', [{ data: '€豆腐😀' }]],
  ['many events', hundred.map(({ data }) => `data: ${data}\n\n`).join(''), hundred],
  ['a comment', ': a\n', [{ comment: 'a' }]],
  ['a comment after another', ':a\n:b\n', [{ comment: 'a' }, { comment: 'b' }]],
  ['a comment before an event', ':a\ndata: b\n\n', [{ comment: 'a' }, { data: 'b' }]],
  ['a comment after an event', 'data: a\n\n:b\n', [{ data: 'a' }, { comment: 'b' }]],
  ['a comment within an event', 'data: a\n:b\ndata: c\n\n', [{ comment: 'b' }, { data: 'a\nc' }]],
  ['a BOM at the start', `${BOM}data: a\n\n`, [{ data: 'a' }]],
  [
    'a BOM before a name and an id',
    `${BOM}event: e\nid: 1\ndata: a\n\n`,
    [{ event: 'e', data: 'a', id: '1' }],
  ],
  ['a BOM before several events', `${BOM}data: a\n\ndata: b\n\n`, [{ data: 'a' }, { data: 'b' }]],
  ['a BOM before several lines', `${BOM}data: a\ndata: b\n\n`, [{ data: 'a\nb' }]],
  ['a BOM before empty data', `${BOM}data:\n\n`, [{ data: '' }]],
  ['a BOM before a comment', `${BOM}:a\ndata: b\n\n`, [{ comment: 'a' }, { data: 'b' }]],
  ['a BOM in later data, which stays', `data: a\n\ndata: ${BOM}b\n\n`, [{ data: 'a' }, { data: `${BOM}b` }]],
  ['a second BOM, which stays', `${BOM}data: ${BOM}a\n\n`, [{ data: `${BOM}a` }]],
];

/** The same for each kind of line break, written here as `|`. */
const lines: [name: string, text: string, expected: Expected[]][] = [
  ['one line', 'data: a||', [{ data: 'a' }]],
  ['one line, then two', 'data: a||data: b|data: c||', [{ data: 'a' }, { data: 'b\nc' }]],
  ['an empty line of data at the start', 'data:|data: b|data: c||', [{ data: '\nb\nc' }]],
  ['an empty line of data in the middle', 'data: a|data:|data: c||', [{ data: 'a\n\nc' }]],
  ['a blank line more between events', 'data: a|||data: b||', [{ data: 'a' }, { data: 'b' }]],
  ['two blank lines more between events', 'data: a||||data: b||', [{ data: 'a' }, { data: 'b' }]],
];
for (const [kind, lineBreak] of Object.entries({ LF: '\n', CRLF: '\r\n', CR: '\r' })) {
  for (const [name, text, expected] of lines)
    streams.push([`${name}, with ${kind}`, text.replaceAll('|', lineBreak), expected]);
}

describe.each([
  ['at once', undefined],
  ['byte by byte', 1],
  ['two bytes at a time', 2],
])('reads a stream that arrives %s', (_, size) => {
  it.each(streams)('%s', async (_name, text, expected) => {
    await take(await receive(text, size), expected);
  });
});

describe('reads events of megabytes', () => {
  const data = Array.from({ length: 5 * 2 ** 20 }, (_, n) => (n % 36).toString(36)).join('');

  it.each([
    ['in one piece', undefined],
    ['in two pieces', 2.5 * 2 ** 20],
  ])('%s', async (_, size) => {
    const { client, end } = await receive(`data: ${data}\n\n`, size);
    expect((await client.next()).data === data).toBe(true);
    end();
  });
});

describe('the last id', () => {
  it.each([
    ['is kept by events without one', 'id: 1\ndata: a\n\ndata: b\n\n', '1'],
    ['is reset by an empty one', 'id: 1\ndata: a\n\nid:\ndata: b\n\n', ''],
    ['is kept by an id with NUL', 'id: 1\ndata: a\n\nid: \0\ndata: b\n\n', '1'],
    ['is not that of an event without its end', 'id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n', '1'],
  ])('%s', async (_, text, id) => {
    const { client, end } = await receive(text);
    await client.until(({ data }) => data === 'b');
    expect(client.lastEventId).toBe(id);
    end();
  });
});
