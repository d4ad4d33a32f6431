import { setTimeout as sleep } from 'node:timers/promises';
import type { EventStream, Hub } from '@tidings/core';
import { fileFor } from './files.ts';
import { refusalOf } from './guard.ts';
import { type Answer, type PageRequest, type PageResponse, text } from './request.ts';
import { type Rows, readView, rowsOf, type View } from './rows.ts';
import { INCIDENTS, PROCESSES, SAMPLES, Samples, SHOWN } from './samples.ts';
import { ShownStreams } from './shown-streams.ts';
import { tail } from './tail.ts';

/** The options of `inspector()`. */
export interface InspectorOptions<Request> {
  /** The hub to show. */
  // biome-ignore lint/suspicious/noExplicitAny: hubs of all channels.
  hub: Hub<any>;
  /**
   * Returns whether a request may use the page, which shows the names of clients and channels and the events, and can
   * disconnect streams. Called for each request of the page, and again at least every 5 minutes while a page is open.
   * Default: allows browsers on the machine of the server; if NODE_ENV is `production`, allows no request.
   *
   * @returns `true` or a promise of `true` to allow the request. The response to any other result is 403.
   */
  authorize?: ((request: Request) => boolean | Promise<boolean>) | undefined;
}

/** Headers of all responses of the inspector. */
export const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

/** ms between two updates of a table. */
const REFRESH = 1_000;

/** Responds to the requests of the inspector's page. */
export class Inspector {
  readonly #hub: Hub;
  readonly #samples: Samples;
  readonly #streams: ShownStreams;

  constructor(hub: Hub) {
    if (typeof hub?.observe !== 'function')
      throw new TypeError(`hub must be the result of createHub(); got ${typeof hub}`);
    this.#hub = hub;
    this.#samples = new Samples(hub);
    this.#streams = new ShownStreams(hub);
  }

  /** The hub of the page's own streams. */
  get pages(): Hub {
    return this.#samples.pages;
  }

  async respond(request: PageRequest): Promise<Answer> {
    const refusal = await refusalOf(request);
    if (refusal !== undefined) return withHeaders(text(403, refusal));
    const answer = await this.#route(request);
    return 'follow' in answer ? answer : withHeaders(answer);
  }

  async #route(request: PageRequest): Promise<Answer> {
    const { method, path } = request;
    if (method === 'POST' && path === '/disconnect') return this.#disconnect(request);
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'Not allowed.', { allow: 'GET, HEAD' });
    const file = await fileFor(request);
    if (file !== undefined) return file;
    const follow = this.#followerOf(request);
    if (follow === undefined) return text(404, 'Not found.');
    if (typeof follow !== 'function') return follow;
    return this.#samples.watch() ? { follow } : text(503, 'The hub is closed.');
  }

  /** Returns the function that sends a stream of the page. Undefined: the request is not for a stream. */
  #followerOf({ path, query }: PageRequest): ((stream: EventStream) => void) | PageResponse | undefined {
    if (path === '/feed') {
      return stream => {
        stream.subscribe([SAMPLES, INCIDENTS], { from: { last: SHOWN } });
        stream.subscribe(PROCESSES, { from: { last: 1 } });
      };
    }
    if (path === '/rows') return stream => void stream.stream(this.#rows(stream, readView(query)));
    if (path !== '/tail') return undefined;
    const channel = query.get('channel');
    if (!channel || channel.startsWith('\0')) return text(400, 'The query parameter channel is missing.');
    return stream => void stream.stream(tail(this.#hub, channel, stream));
  }

  /** The rows of a table, once a second, or less often if the page reads slowly. */
  async *#rows({ signal }: EventStream, view: View): AsyncGenerator<Rows> {
    while (!signal.aborted) {
      yield await rowsOf(this.#hub, this.#streams, view);
      await sleep(REFRESH, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  async #disconnect(request: PageRequest): Promise<Answer> {
    // Protects against CSRF: a form of another page cannot set this header.
    if (request.header('x-tidings-inspector') === undefined)
      return text(403, 'Only the page of the inspector may send this request.');
    const name = request.query.get('stream');
    const who = name === null ? request.query.get('client') : this.#streams.find(name);
    if (who === undefined) return text(404, 'The stream has closed, or it is in another process.');
    if (!who) return text(400, 'The query parameter stream or client is missing.');
    try {
      await this.#hub.clients.disconnect(who);
    } catch (error) {
      return text(502, `The streams were not closed in all processes: ${(error as Error).message}`);
    }
    return text(200, 'Disconnected.');
  }
}

/** @returns the path without the slash at its end. */
export function readPath(path: string): string {
  if (typeof path === 'string' && path.startsWith('/')) return path.replace(/\/$/, '');
  throw new TypeError(`path must begin with a slash, for example '/_tidings'; got ${String(path)}`);
}

function withHeaders<T extends { readonly headers: Readonly<Record<string, string>> }>(answer: T): T {
  return { ...answer, headers: { ...HEADERS, ...answer.headers } };
}
