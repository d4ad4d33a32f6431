import { encodeEvent, type ServerSentEvent } from '@tidings/core';
import { expect } from 'vitest';
import { type Dispatched, parseEventStream } from './reference-parser.ts';
import { respond } from './respond.ts';

/** A rule of WHATWG HTML 9.2 that binds a server. */
export interface Rule {
  id: string;
  sentence: string;
  section: keyof typeof SECTIONS;
  /** Cases of the `eventsource/` folder of web-platform-tests to which this is the server's part. */
  wpt: string[];
  /** Fails when the library breaks the rule. */
  check: () => void | Promise<void>;
}

export const SECTIONS = {
  '9.2.1': 'Introduction',
  '9.2.3': 'Processing model',
  '9.2.4': 'The `Last-Event-ID` header',
  '9.2.5': 'Parsing an event stream',
  '9.2.6': 'Interpreting an event stream',
  '9.2.7': 'Authoring notes',
};

export const rules: Rule[] = [
  {
    id: 'content-type',
    sentence: 'An event stream is text/event-stream with status 200; with anything else a client gives up.',
    section: '9.2.3',
    wpt: ['format-mime-bogus', 'format-mime-valid-bogus', 'request-status-error'],
    async check() {
      const { status, headers } = await respond(stream => stream.close(), {
        stream: { headers: { 'Content-Type': 'text/plain' } },
      });
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    },
  },
  {
    id: 'no-content-ends-it',
    sentence: '204 tells a client not to come back: it answers whoever has had the whole of a source.',
    section: '9.2.1',
    wpt: ['request-status-error'],
    async check() {
      const first = await respond(stream => stream.stream(['a']));
      const { events } = parseEventStream(first.text);
      expect(events.filter(({ type }) => type === 'message').map(({ data }) => data)).toEqual(['a']);
      let asked = false;
      const again = await respond(
        stream =>
          stream.stream(() => {
            asked = true;
            return ['a'];
          }),
        { request: { headers: { 'Last-Event-ID': events.at(-1)?.lastEventId ?? '' } } },
      );
      expect(again.status).toBe(204);
      expect(again.bytes).toHaveLength(0);
      expect(asked).toBe(false);
    },
  },
  {
    id: 'last-event-id',
    sentence: 'A client that comes back sends the last id it has seen, as UTF-8.',
    section: '9.2.3',
    wpt: ['format-field-id', 'format-field-id-2'],
    async check() {
      const id = '… 😀 \ufeff:é';
      const { text } = await respond(stream => {
        stream.send('', { id });
        stream.close();
      });
      const seen = parseEventStream(text).events[0]?.lastEventId ?? '';
      expect(await lastEventIdOf({ 'Last-Event-ID': Buffer.from(seen).toString('latin1') })).toBe(id);
    },
  },
  {
    id: 'no-last-event-id',
    sentence: 'A client that has seen no id sends none.',
    section: '9.2.4',
    wpt: [],
    async check() {
      expect(await lastEventIdOf({})).toBeUndefined();
    },
  },
  {
    id: 'id-without-preflight',
    sentence: 'A Last-Event-ID of up to 128 safe characters is sent to another origin without a preflight.',
    section: '9.2.3',
    wpt: ['eventsource-cross-origin-preflight'],
    async check() {
      const finished = await respond(stream => stream.stream(['a']));
      const subscribed = await respond(stream => stream.subscribe('a').close());
      const ids = [finished, subscribed].map(({ text }) => parseEventStream(text).events.at(-1)?.lastEventId);
      // Those of the Fetch standard, and not `"` or `(`. A position has at most 16 digits.
      for (const id of ids) expect(id).toMatch(/^[\w.~-]{1,100}$/);
    },
  },
  {
    id: 'utf-8',
    sentence: 'The stream is UTF-8, whatever is in it.',
    section: '9.2.5',
    wpt: ['format-utf-8'],
    async check() {
      const { bytes } = await respond(stream => {
        stream.comment('é');
        stream.send('€ 😀 \ud83d', { event: 'ö', id: '…' });
        stream.close();
      });
      expect(Buffer.from(bytes).toString('latin1')).toBe(
        ': \xc3\xa9\n\nevent: \xc3\xb6\ndata: \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd\nid: \xe2\x80\xa6\n\n',
      );
    },
  },
  {
    id: 'no-bom',
    sentence: 'One BOM at the start is stripped, and one anywhere else is text: none stands before a field.',
    section: '9.2.5',
    wpt: ['format-bom', 'format-bom-2'],
    async check() {
      const { bytes } = await respond(stream => {
        stream.send('\ufeffa', { event: '\ufeffe', id: '\ufeffi' });
        stream.send(Buffer.from('\ufeffb\n\ufeffc'));
        stream.close();
      });
      // Of two at the start, a client strips one: the data's own must not be taken for it.
      const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      expect(text).not.toMatch(/^\ufeff/m);
      expect(parseEventStream(text).events).toEqual([
        { type: '\ufeffe', data: '\ufeffa', lastEventId: '\ufeffi' },
        { type: 'message', data: '\ufeffb\n\ufeffc', lastEventId: '\ufeffi' },
      ]);
    },
  },
  {
    id: 'line-ends',
    sentence: 'CRLF, LF and CR each end a line: each in the data begins a new data line, and nothing else.',
    section: '9.2.5',
    wpt: ['format-newlines'],
    check() {
      expect(encodeEvent({ data: 'a\nb\rc\r\nd\n\re' })).toBe(
        'data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: e\n\n',
      );
      // Other characters that Unicode calls line breaks end none.
      expect(encodeEvent({ data: 'a\u2028b\u2029c\x85d\ve\ff' })).toBe(
        'data: a\u2028b\u2029c\x85d\ve\ff\n\n',
      );
    },
  },
  {
    id: 'known-fields',
    sentence: 'Every line is a comment or one of four fields, whose names are lower case and stand first.',
    section: '9.2.6',
    wpt: ['format-field-unknown', 'format-field-parsing'],
    async check() {
      const { text } = await respond(stream => {
        stream.comment('x\n data: x\nData: x');
        stream.send('\0data:x\n data:x\rda-ta:x\nunknown', { event: 'e', id: '', retry: 1 });
        stream.close();
      });
      for (const line of text.split('\n')) expect(line).toMatch(/^(|:.*|(id|event|retry|data): .*)$/);
      expect(parseEventStream(text)).toMatchObject({ ignored: [], events: [{}] });
    },
  },
  {
    id: 'comment',
    sentence: 'A line that begins with a colon is a comment, and dispatches nothing.',
    section: '9.2.6',
    wpt: ['format-comments'],
    async check() {
      const { text } = await respond(stream => {
        stream.comment(`\n\ndata: no\r\rdata: no\r\n${':'.repeat(5_000)}`);
        stream.comment();
        stream.send('yes');
        stream.close();
      });
      expect(parseEventStream(text).events).toEqual([message('yes')]);
    },
  },
  {
    id: 'blank-line-dispatches',
    sentence: 'A blank line dispatches; what has none yet when the stream ends is lost.',
    section: '9.2.6',
    wpt: ['format-data-before-final-empty-line'],
    check() {
      const text = encodeEvent({ data: 'a\nb\n', id: '1', event: 'e' });
      for (let end = 0; end < text.length; end++) {
        expect(parseEventStream(text.slice(0, end)).events).toEqual([]);
      }
      expect(parseEventStream(text).events).toEqual([{ type: 'e', data: 'a\nb\n', lastEventId: '1' }]);
    },
  },
  {
    id: 'data-lines',
    sentence: 'Data lines are joined with LF, and one LF at the end is removed: no line break is lost.',
    section: '9.2.6',
    wpt: ['format-field-data'],
    check() {
      for (const data of ['a', 'a\n', '\na', '\n', '\n\n', 'a\n\nb\n\n']) {
        expect(parse({ data })).toEqual([message(data)]);
      }
    },
  },
  {
    id: 'empty-data',
    sentence: 'A block without a data line dispatches nothing, one with an empty one does.',
    section: '9.2.6',
    wpt: ['format-field-data'],
    check() {
      expect(parse({ data: '' })).toEqual([message('')]);
      expect(parse({ data: new Uint8Array() })).toEqual([message('')]);
      expect(parse({ data: '', event: 'e' })).toEqual([{ type: 'e', data: '', lastEventId: '' }]);
    },
  },
  {
    id: 'leading-space',
    sentence: 'One space after the colon is removed, and no more: values keep their own.',
    section: '9.2.6',
    wpt: ['format-leading-space'],
    check() {
      const spaced = [' x', '  x', '\tx', ' ', ' \n x'];
      expect(parse(...spaced.map(data => ({ data })))).toEqual(spaced.map(data => message(data)));
      expect(parse({ data: '', event: ' e', id: ' ' })).toEqual([{ type: ' e', data: '', lastEventId: ' ' }]);
    },
  },
  {
    id: 'first-colon',
    sentence: 'The first colon of a line ends the name: values may have their own.',
    section: '9.2.6',
    wpt: ['format-field-parsing'],
    check() {
      expect(parse({ data: ':a: b:', event: 'x:y', id: ': 1' })).toEqual([
        { type: 'x:y', data: ':a: b:', lastEventId: ': 1' },
      ]);
    },
  },
  {
    id: 'null-in-data',
    sentence: 'NUL in data is a character like others.',
    section: '9.2.6',
    wpt: ['format-null-character', 'format-field-parsing'],
    check() {
      expect(parse({ data: '\0' }, { data: 'a\0b' })).toEqual([message('\0'), message('a\0b')]);
    },
  },
  {
    id: 'event-name',
    sentence: 'The name holds for one event: the next has its own, or none.',
    section: '9.2.6',
    wpt: ['format-field-event'],
    check() {
      expect(parse({ data: 1, event: 'a' }, { data: 2 }).map(({ type }) => type)).toEqual(['a', 'message']);
    },
  },
  {
    id: 'empty-event-name',
    sentence: 'An empty name is none.',
    section: '9.2.6',
    wpt: ['format-field-event-empty'],
    check() {
      expect(parse({ data: 'x', event: '' })).toEqual([message('x')]);
    },
  },
  {
    id: 'event-name-is-one-line',
    sentence: 'A line break ends a field: a name with one is refused.',
    section: '9.2.6',
    wpt: [],
    check() {
      for (const lineBreak of ['\r', '\n', '\r\n']) expectRefusal({ event: `a${lineBreak}data: x` });
    },
  },
  {
    id: 'id-persists',
    sentence: 'An id stays the last one until there is another; an event without one has no id line.',
    section: '9.2.6',
    wpt: ['format-field-id-2', 'format-field-id-3'],
    check() {
      expect(encodeEvent({ data: 'x' })).not.toContain('id');
      const events = parse({ data: 1, id: '1' }, { data: 2 }, { data: 3, id: '3' });
      expect(events.map(({ lastEventId }) => lastEventId)).toEqual(['1', '1', '3']);
    },
  },
  {
    id: 'empty-id-resets',
    sentence: 'An empty id makes the client forget the last one.',
    section: '9.2.6',
    wpt: ['format-field-id-3'],
    check() {
      const events = parse({ data: 1, id: '1' }, { data: 2, id: '' }, { data: 3 });
      expect(events.map(({ lastEventId }) => lastEventId)).toEqual(['1', '', '']);
    },
  },
  {
    id: 'id-without-null',
    sentence: 'An id with NUL is ignored, and a line break ends it: either is refused.',
    section: '9.2.6',
    wpt: ['format-field-id-null'],
    check() {
      for (const forbidden of ['\0', '\r', '\n', '\r\n']) {
        expectRefusal({ id: forbidden });
        expectRefusal({ id: `1${forbidden}2` });
      }
    },
  },
  {
    id: 'retry-digits',
    sentence: 'A reconnection time is ASCII digits, in ms.',
    section: '9.2.6',
    wpt: ['format-field-retry'],
    check() {
      const retries = [0, 1, 3_000, 2 ** 31, Number.MAX_SAFE_INTEGER];
      const text = retries.map(retry => encodeEvent({ data: '', retry })).join('');
      expect(parseEventStream(text).retries).toEqual(retries);
    },
  },
  {
    id: 'retry-nothing-else',
    sentence: 'A reconnection time of anything but digits is ignored: it is refused.',
    section: '9.2.6',
    wpt: ['format-field-retry-bogus', 'format-field-retry-empty'],
    check() {
      for (const retry of ['', '3000', '1000x', -1, 0.5, 1e21, Number.NaN, Number.POSITIVE_INFINITY, null]) {
        expectRefusal({ retry: retry as number });
      }
    },
  },
  {
    id: 'retry-alone',
    sentence: 'A reconnection time counts without an event, and dispatches none.',
    section: '9.2.6',
    wpt: ['format-field-retry'],
    async check() {
      const { text } = await respond(stream => stream.close(), { stream: { retry: 1_234 } });
      expect(parseEventStream(text)).toEqual({ events: [], retries: [1_234], comments: [], ignored: [] });
    },
  },
  {
    id: 'keep-alive',
    sentence: 'A comment now and then keeps a silent connection alive.',
    section: '9.2.7',
    wpt: [],
    async check() {
      const { text } = await respond(
        async stream => {
          await new Promise(resolve => setTimeout(resolve, 300));
          stream.close();
        },
        { hub: { heartbeat: 20 } },
      );
      const { comments, events } = parseEventStream(text);
      // The first goes with the head.
      expect(comments.length).toBeGreaterThan(2);
      expect(events).toEqual([]);
    },
  },
];

/** Cases that no server can get right or wrong, and why. */
export const beyondServers: Record<string, string> = {
  'format-mime-trailing-semicolon': 'what a client makes of an empty parameter; our content type has none',
  'request-accept': 'says what a client asks for, and a stream is the only thing there is to answer with',
  'request-cache-control': 'says what a client asks of caches; a response says no-cache whatever it asked',
  'request-redirect': 'a redirect is answered before there is a stream',
  'request-credentials': 'cookies and origins are the business of whoever answers before and around a stream',
};

function parse(...events: ServerSentEvent[]): Dispatched[] {
  return parseEventStream(events.map(encodeEvent).join('')).events;
}

function message(data: string): Dispatched {
  return { type: 'message', data, lastEventId: '' };
}

function expectRefusal(fields: Omit<ServerSentEvent, 'data'>): void {
  expect(() => encodeEvent({ data: 'x', ...fields }), JSON.stringify(fields)).toThrow(
    expect.objectContaining({ name: 'TidingsError', code: 'invalid-field' }),
  );
}

async function lastEventIdOf(headers: Record<string, string>): Promise<string | undefined> {
  let lastEventId: string | undefined;
  await respond(
    stream => {
      lastEventId = stream.lastEventId;
      stream.close();
    },
    { request: { headers } },
  );
  return lastEventId;
}
