import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as the request's body; `null`: the body is begun and never finished. */
  body?: string | null;
  http2?: boolean;
  /** Leaves without waiting for a response, when this resolves. */
  leaveAfter?: Promise<void>;
  /** Of HTTP/1.1: to see whether a connection is used again. */
  agent?: http.Agent;
}

/** One response on a real socket, read as it comes. */
export interface Client {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  /** Everything received so far, decoded if it is gzip. */
  readonly text: string;
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
  /** The bytes received so far, as they came. */
  readonly body: Buffer;
  /** Resolves when the response is over: true when it came to its proper end, false when it was cut. */
  readonly ended: Promise<boolean>;
  /** Resolves when `condition` holds; it is looked at whenever something arrives, and at the end. */
  until(condition: (client: Client) => boolean): Promise<void>;
  /** Stops reading the socket, so that it fills. */
  stall(): void;
  resume(): void;
  /** Leaves politely: FIN, or the end of the HTTP/2 session. */
  leave(): void;
  /** Leaves at once: RST, or RST_STREAM. */
  reset(): void;
}

export async function request(origin: string, path: string, options: RequestOptions = {}): Promise<Client> {
  return options.http2 ? requestHttp2(origin, path, options) : requestHttp1(origin, path, options);
}

async function requestHttp1(origin: string, path: string, options: RequestOptions): Promise<Client> {
  const { method = 'GET', headers = {}, body, agent } = options;
  const req = http.request(origin + path, { method, headers, agent: agent ?? new http.Agent() });
  if (body === null) req.write('begun');
  else req.end(body);
  options.leaveAfter?.then(() => req.destroy());
  const [res] = (await once(req, 'response')) as [http.IncomingMessage];
  const socket = res.socket as Socket;
  req.on('error', () => {});
  return follow(res, {
    status: res.statusCode ?? 0,
    headers: res.headers,
    isComplete: () => res.complete,
    leave: () => socket.end(),
    reset: () => socket.resetAndDestroy(),
  });
}

async function requestHttp2(origin: string, path: string, options: RequestOptions): Promise<Client> {
  const { method = 'GET', headers = {}, body } = options;
  const session = http2.connect(origin);
  session.on('error', () => {});
  const hasBody = body !== undefined;
  const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: !hasBody });
  if (body === null) stream.write('begun');
  else if (hasBody) stream.end(body);
  options.leaveAfter?.then(() => stream.close(http2.constants.NGHTTP2_CANCEL));
  const [head] = (await Promise.race([
    once(stream, 'response'),
    once(stream, 'close').then(() => {
      throw new Error('closed');
    }),
  ])) as [http2.IncomingHttpHeaders & { ':status': number }];
  stream.on('close', () => session.close());
  return follow(stream, {
    status: head[':status'],
    headers: head,
    isComplete: () => stream.rstCode === http2.constants.NGHTTP2_NO_ERROR,
    leave: () => session.destroy(),
    reset: () => stream.close(http2.constants.NGHTTP2_CANCEL),
  });
}

interface Connection extends Pick<Client, 'status' | 'headers' | 'leave' | 'reset'> {
  isComplete(): boolean;
}

function follow(body: Readable, connection: Connection): Client {
  const waiting = new Set<() => void>();
  const decoder = new TextDecoder();
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: event => events.push(event),
    onComment: comment => comments.push(comment),
    onRetry: retry => retries.push(retry),
  });
  let text = '';
  const chunks: Buffer[] = [];
  const look = () => {
    for (const check of waiting) check();
  };
  const read = (chunk: Buffer) => {
    const part = decoder.decode(chunk, { stream: true });
    text += part;
    parser.feed(part);
    look();
  };
  const isGzip = connection.headers['content-encoding'] === 'gzip';
  // What there is of a response that was cut can be read, too.
  const gunzip = isGzip ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) : undefined;
  gunzip?.on('data', read);
  body.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (gunzip === undefined) read(chunk);
    else gunzip.write(chunk);
  });
  const ended = new Promise<boolean>((resolve, reject) => {
    const end = () => resolve(body.readableEnded && connection.isComplete());
    gunzip?.on('error', reject).on('end', end);
    body.on('error', () => {});
    body.on('close', () => (gunzip === undefined ? end() : gunzip.end()));
  });
  const client: Client = {
    ...connection,
    events,
    comments,
    retries,
    ended,
    get text() {
      return text;
    },
    get body() {
      return Buffer.concat(chunks);
    },
    until: condition =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!condition(client)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        ended.then(() => {
          check();
          if (waiting.delete(check))
            reject(new Error(`the response ended first; got ${JSON.stringify(text.slice(-500))}`));
        });
      }),
    stall: () => body.pause(),
    resume: () => body.resume(),
  };
  return client;
}

/** Resolves when `condition` holds, where there is no event to wait for. Rejects after 110 s with the condition. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 110_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`condition not met: ${condition}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}
