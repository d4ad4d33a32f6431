import { Readable } from 'node:stream';
import { clientFile } from '@tidings/client/files';
import { type EventStream, type Hub, type StreamOptions, TidingsError } from '@tidings/core';
import { adapterHub, failStream, openStream } from '@tidings/core/node';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';

/** The method that `app.register(sse())` adds to every reply. */
export interface SseReply {
  /**
   * `reply.sse()` responds to the request with a stream. Return its result from the route. The stream stays open after
   * the handler has returned, until it is closed or the client disconnects.
   *
   * All `subscribe` calls in the tick of the first one resume after the client's Last-Event-ID. Calls in a later tick
   * begin now.
   *
   * @param handler receives the stream. It is not called for a HEAD request, nor for a stream that is refused.
   * @param options the owner of the stream (`client`), headers, reconnection time and expiry. Default: none.
   * @returns a promise that resolves when the headers are sent. Rejects with the handler's error if it fails before, so
   *   that Fastify's error handler receives it; later errors go to the hub's `onError`, and the stream closes. Rejects
   *   with a TidingsError `already-open` if it was called before, `head-sent` if the reply was sent already, or
   *   `invalid-option`, naming the option.
   * @example
   * ```ts
   * app.get('/notifications', async (request, reply) => {
   *   const user = await userOf(request);
   *   return reply.sse(stream => stream.subscribe(`user:${user.id}`), { client: user.id });
   * });
   * ```
   */
  sse<Data = unknown>(
    handler: (stream: EventStream<Data>) => unknown,
    options?: StreamOptions<Data>,
  ): Promise<void>;
}

declare module 'fastify' {
  interface FastifyReply extends SseReply {}
}

/** The options of {@link sse}. */
export interface SseOptions {
  /** The hub of the streams. Default: a new hub. */
  hub?: Hub | undefined;
}

/** A plugin for Fastify 4 and 5, with the hub of its streams. */
export interface SsePlugin {
  (app: FastifyInstance): Promise<void>;
  readonly hub: Hub;
}

/** The options of `sse.control()`. */
export interface ControlOptions {
  /**
   * Returns the user who sent the request, the owner of the streams that it may change. Undefined: the response is 401.
   */
  client: (request: FastifyRequest) => string | undefined | Promise<string | undefined>;
  /** The hub of the streams. Default: the hub of the plugin `sse()`. */
  hub?: Hub | undefined;
  /** Other origins whose pages may send the request, such as `https://app.example`. Default: none. */
  origins?: readonly string[] | undefined;
}

/** Whether `sse.control` was called. Streams then have the header `Tidings-Stream`. */
let isControlled = false;

/** The function `reply.sse`, which has its hub as a property. */
interface Opener {
  readonly hub?: Hub;
}

/**
 * Creates a handler for the POST requests with which a page changes the channels of its open stream. The `client` of
 * the request must own the stream, and the hub must have `authorize`. After the first call, every stream with a
 * `client` has a header `Tidings-Stream` with its id.
 *
 * @example
 * ```ts
 * app.post('/events/control', sse.control({ client: async request => (await userOf(request)).id }));
 * ```
 */
function control({ client, hub, origins }: ControlOptions) {
  isControlled = true;
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const streamHub = hub ?? (reply.sse as Opener | undefined)?.hub;
    if (streamHub === undefined)
      throw new TidingsError(
        'invalid-option',
        'sse.control() has no hub: register sse() before it, or pass `hub`',
      );
    const { status, body, headers } = await streamHub.control({
      method: request.method,
      header: name => request.headers[name] as string | undefined,
      client: await client(request),
      body: request.body,
      origins,
    });
    await reply.code(status).headers(headers).send(body);
  };
}

/**
 * Creates a plugin that adds {@linkcode SseReply.sse | reply.sse()} to every reply, and closes the hub when the
 * application closes.
 *
 * @param options the `hub` of the streams. Default: a new hub with default options, as `sse().hub`.
 * @throws {TidingsError} `invalid-option`: an unknown option, or an argument that is not a plain object.
 */
export function sse(options: SseOptions = {}): SsePlugin {
  const hub = adapterHub(options);
  function open<Data>(
    this: FastifyReply,
    handler: (stream: EventStream<Data>) => unknown,
    options?: StreamOptions<Data>,
  ) {
    return respond(this, handler, { ...options, hub });
  }
  open.hub = hub;
  const plugin = async (app: FastifyInstance) => {
    // `never`, because a program that also imports @fastify/sse has another declared type.
    app.decorateReply('sse', open as never);
    app.addHook('preClose', () => hub.close());
  };
  return Object.assign(plugin, { hub }, PLUGIN);
}

/**
 * Creates a route for the files of @tidings/client, for pages without a bundler:
 * `import { connect } from '/tidings/client.js'`.
 *
 * @param path the folder of the files. Default: `/tidings`.
 */
function client(path = '/tidings'): FastifyPluginAsync {
  return async app => {
    app.get<{ Params: { file: string } }>(`${path}/:file`, (request, reply) => {
      const file = clientFile(`/${request.params.file}`, '', request.headers['if-none-match']);
      if (file === undefined) return reply.callNotFound();
      return reply.code(file.status).headers(file.headers).send(file.body);
    });
  };
}

sse.client = client;
sse.control = control;

/** The properties that fastify-plugin sets. They add the method to the application itself, not to a child of it. */
const PLUGIN = {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@tidings/fastify',
  [Symbol.for('plugin-meta')]: { name: '@tidings/fastify', fastify: '4.x || 5.x' },
};

function respond<Data>(
  reply: FastifyReply,
  handler: (stream: EventStream<Data>) => unknown,
  options: StreamOptions<Data> & { hub: Hub },
): Promise<void> {
  const { request, raw } = reply;
  return new Promise((resolve, reject) => {
    const beforeHeaders = (status: number, headers: Record<string, string>) =>
      new Promise<void>(begin => {
        send(reply, status, headers, () => {
          raw.off('close', resolve);
          begin();
          // The hooks have run. Without `hijack`, Fastify considers the reply sent only when the stream ends. Until
          // then, it would try to send a second reply or a late error, which fails, and in Fastify 4 ends the process.
          reply.hijack();
          // Not in a microtask: Fastify sends an empty reply if this promise resolves before the headers are sent.
          setImmediate(resolve);
        });
      });
    const stream = openStream(request.raw, raw, { ...options, beforeHeaders });
    if (!options.hub.streams.has(stream)) {
      stream.closed.then(() => resolve());
      return;
    }
    raw.once('close', resolve);
    if (isControlled && stream.client !== undefined) reply.header('Tidings-Stream', stream.id);
    (async () => handler(stream))().catch(error => {
      if (failStream(raw, error, true)) reject(error);
    });
  });
}

/** Headers that other plugins may have set, and that are invalid for a stream. */
const REMOVED_HEADERS = ['content-length', 'content-encoding', 'etag'];

/**
 * Sends a reply whose body the stream writes: Fastify runs its hooks, and sets the headers on the response.
 *
 * @param begin called when the body may be written. Not called for a reply without a body, which Fastify sends.
 */
function send(reply: FastifyReply, status: number, headers: Record<string, string>, begin: () => void): void {
  for (const name of REMOVED_HEADERS) reply.removeHeader(name);
  const others = reply.getHeader('vary');
  reply.code(status).headers(headers);
  // Keeps the `Origin` that `@fastify/cors` has set.
  if (others !== undefined && headers.vary !== undefined) reply.header('vary', `${others}, ${headers.vary}`);
  if (status === 204) reply.send();
  else reply.send(reply.request.method === 'HEAD' ? Readable.from([]) : createPayload(reply.raw, begin));
}

/** A Readable that ends as soon as Fastify pipes it to the response. */
function createPayload(raw: FastifyReply['raw'], begin: () => void): Readable {
  let isPiped = false;
  const payload = new Readable({
    read() {
      if (isPiped) this.push(null);
      else this.destroy(new Error(UNREADABLE));
    },
  });
  const { pipe } = payload;
  payload.pipe = (destination, options) => {
    if ((destination as unknown) !== raw)
      return pipe.call(payload, destination, options) as typeof destination;
    isPiped = true;
    begin();
    payload.resume();
    return destination;
  };
  return payload;
}

const UNREADABLE =
  'an onSend hook reads the payload of an event stream, which only the response can do: exclude replies of the type ' +
  'text/event-stream from it';
