// What a client of event streams has to do: the behaviours that LaunchDarkly tests its clients for, written anew.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What a case asks a client for. */
export interface CaseRequest {
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  lastEventId?: string;
}

/** What has happened so far. */
export interface Progress {
  events: [event: string, data: string][];
  requests: (IncomingMessage & { body?: string })[];
}

export interface ClientCase {
  name: string;
  request?: CaseRequest;
  /** Responds to the nth request, from 0. */
  respond(res: ServerResponse, n: number, req: IncomingMessage): unknown;
  /** Holds at last. */
  holds(progress: Progress): boolean;
  /** Must not come to hold after that, for as long as a client may wait before it reconnects. */
  fails?(progress: Progress): boolean;
}

const HEADERS = { 'content-type': 'text/event-stream' };

/** Writes pieces, one after the other, so that each arrives by itself. */
async function write(res: ServerResponse, ...pieces: (string | Buffer)[]): Promise<void> {
  res.writeHead(200, HEADERS);
  for (const piece of pieces) {
    res.write(piece);
    await delay(5);
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const lastIdOf = ({ requests }: Progress, n: number) => requests[n]?.headers['last-event-id'];

/** The stream has these events. Those without a name are `message`. */
function parses(
  name: string,
  pieces: (string | Buffer)[],
  ...expected: (string | [event: string, data: string])[]
): ClientCase {
  const events = expected.map(event => (typeof event === 'string' ? ['message', event] : event));
  return {
    name,
    respond: res => write(res, ...pieces),
    holds: progress => same(progress.events, events),
    fails: progress => !same(progress.events, events),
  };
}

/** The first response is as given; the client makes another request, and receives `after`. */
function reconnects(
  name: string,
  first: (res: ServerResponse, req: IncomingMessage) => unknown,
  alsoHolds: (progress: Progress) => boolean = () => true,
): ClientCase {
  return {
    name,
    respond: (res, n, req) => (n === 0 ? first(res, req) : write(res, 'data: after\n\n')),
    holds: progress => progress.events.some(([, data]) => data === 'after') && alsoHolds(progress),
  };
}

/** The client makes no further request. */
function stops(name: string, first: (res: ServerResponse) => unknown): ClientCase {
  return {
    name,
    respond: res => first(res),
    holds: ({ requests }) => requests.length === 1,
    fails: ({ requests }) => requests.length > 1,
  };
}

const bytes = Buffer.from('data: ü😀\n\n');
const retry = 'retry: 1\n\n';
const answer =
  (status: number, headers: Record<string, string> = {}) =>
  (res: ServerResponse) =>
    res.writeHead(status, headers).end();
const endAfter =
  (...pieces: string[]) =>
  async (res: ServerResponse) => {
    await write(res, ...pieces);
    res.end();
  };
const resumesWith = (id: string | undefined) => (progress: Progress) => lastIdOf(progress, 1) === id;

export const clientCases: ClientCase[] = [
  parses('one event', ['data: a\n\n'], 'a'),
  parses('several lines of data', ['data: a\ndata: b\n\n'], 'a\nb'),
  parses('empty data', ['data:\n\ndata\n\n'], '', ''),
  parses('a name', ['event: tick\ndata: a\n\n'], ['tick', 'a']),
  parses('an empty name', ['event:\ndata: a\n\n'], 'a'),
  parses('a name that is forgotten without data', ['event: tick\n\ndata: a\n\n'], 'a'),
  parses('CRLF', ['data: a\r\n\r\ndata: b\r\n\r\n'], 'a', 'b'),
  parses('CR', ['data: a\r\rdata: b\r\r:\r'], 'a', 'b'),
  parses('CR at the end of what arrives', ['data: a\r\r'], 'a'),
  parses('CRLF in two pieces', ['data: a\r', '\n\r', '\ndata: b\r\n\r\n'], 'a', 'b'),
  parses('each character by itself', [...'event: tick\ndata: a\n\n'], ['tick', 'a']),
  parses(
    'a character in two pieces',
    [bytes.subarray(0, 7), bytes.subarray(7, 10), bytes.subarray(10)],
    'ü😀',
  ),
  parses('a byte order mark', ['\ufeffdata: a\n\n'], 'a'),
  parses('comments', [':a\n\n: b\ndata: a\n:\n\n'], 'a'),
  parses('unknown fields', ['other: 1\ndata: a\nDATA: b\n data: c\n\n'], 'a'),
  parses('one space after the colon', ['data:  a:b \n\n'], ' a:b '),
  parses(
    'a large event in pieces',
    ['data: ', ...Array(20).fill('x'.repeat(50_000)), '\n\n'],
    'x'.repeat(1_000_000),
  ),
  reconnects('drops an event that is not finished', endAfter(retry, 'data: lost\n'), ({ events }) =>
    same(events, [['message', 'after']]),
  ),
  reconnects('reconnects after a proper end', endAfter(retry)),
  reconnects('reconnects after a connection that was cut', async res => {
    await write(res, retry);
    res.destroy();
  }),
  reconnects('reconnects after a connection without a response', res => res.destroy()),
  reconnects('sends the last id', endAfter(retry, 'id: 1\ndata: a\n\ndata: b\n\n'), resumesWith('1')),
  reconnects('takes an id without data', endAfter(retry, 'id: 1\ndata: a\n\nid: 2\n\n'), resumesWith('2')),
  reconnects(
    'an empty id removes it',
    endAfter(retry, 'id: 1\ndata: a\n\nid:\ndata: b\n\n'),
    ({ requests }) => [undefined, ''].includes(requests[1]?.headers['last-event-id'] as string | undefined),
  ),
  reconnects(
    'ignores an id with NUL',
    endAfter(retry, 'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n'),
    resumesWith('1'),
  ),
  reconnects(
    'not the id of an event that was cut',
    endAfter(retry, 'id: 1\ndata: a\n\nid: 2\ndata: b\n'),
    resumesWith('1'),
  ),
  reconnects(
    'sends an id as UTF-8',
    endAfter(retry, 'id: ü\ndata: a\n\n'),
    progress => Buffer.from(String(lastIdOf(progress, 1)), 'latin1').toString() === 'ü',
  ),
  reconnects('ignores a `retry` that is not a number', endAfter(retry, 'retry: 60000x\n\n')),
  reconnects('reconnects after 500', answer(500)),
  reconnects('reconnects after 503', answer(503)),
  reconnects('reconnects after 429', answer(429)),
  {
    name: 'waits as long as Retry-After says',
    respond: answer(503, { 'retry-after': '60' }),
    holds: ({ requests }) => requests.length === 1,
    fails: ({ requests }) => requests.length > 1,
  },
  reconnects('follows a redirect', (res, req) => answer(307, { location: String(req.url) })(res)),
  stops('stops after 204', answer(204)),
  stops('stops after 404', answer(404)),
  stops('stops after a response that is not an event stream', answer(200, { 'content-type': 'text/html' })),
  reconnects('replaces a connection that is silent', res => {
    res.writeHead(200, { ...HEADERS, 'tidings-heartbeat': '50' }).write(':\n\n');
  }),
  {
    name: 'sends an initial id',
    request: { lastEventId: 'initial' },
    respond: res => write(res, 'data: after\n\n'),
    holds: progress => lastIdOf(progress, 0) === 'initial',
  },
  {
    name: 'sends headers, and accepts event streams',
    request: { headers: { 'x-token': 'secret' } },
    respond: res => write(res, ':\n\n'),
    holds: ({ requests }) =>
      requests[0]?.headers['x-token'] === 'secret' && requests[0].headers.accept === 'text/event-stream',
  },
  {
    name: 'sends a method and a body',
    request: { method: 'POST', body: 'question' },
    respond: res => write(res, 'data: after\n\n'),
    holds: ({ requests }) => requests[0]?.method === 'POST' && requests[0].body === 'question',
  },
];
