import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate } from 'node:timers';
import { type FetchApplication, sendInProcess } from './in-process.ts';
import { invalid } from './invalid.ts';
import { sendOverHttp } from './over-http.ts';
import type { Host } from './response.ts';

/** An Express application, `koa.callback()`, or any other listener of `node:http`. */
type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** The servers that frameworks create. The client uses HTTP/1.1. */
type AnyServer = Server | Http2Server | Http2SecureServer;

/** A Fastify application. Its server responds once its plugins are loaded. */
interface FastifyApplication {
  readonly server: AnyServer;
  ready(): PromiseLike<unknown>;
}

/**
 * A target to which a client can connect: an Express, Koa, Hono or Fastify application, or an object with
 * `fetch(request)`; a request listener or a server of `node:http`; the URL of a running server.
 */
export type Target =
  | string
  | URL
  | AnyServer
  | Listener
  | { callback(): Listener }
  | FetchApplication
  | FastifyApplication;

const TARGETS =
  'an Express, Koa, Hono or Fastify application, an object with fetch(request), a request listener or a server of ' +
  'node:http, or the URL of a server, beginning with http: or https:';

/** Servers that {@link serve} has started, and the number of their clients. */
const served = new WeakMap<AnyServer, number>();

function unref(socket: Socket): void {
  socket.unref();
}

/** @throws {TypeError} a client cannot connect to the target. */
export async function hostOf(target: Target): Promise<Host> {
  if (typeof target === 'function') return serve(createServer(target));
  const url = typeof target === 'string' ? target : ((target as Partial<URL> | null)?.href ?? '');
  // The scheme is required: `localhost:3000` is also a valid URL, but with the scheme `localhost:`.
  if (/^https?:/i.test(url) && URL.canParse(url)) return remote(new URL(url));
  if (typeof target === 'object' && target !== null) {
    if ('address' in target) return serve(target);
    if ('callback' in target) return serve(createServer(target.callback()));
    if ('fetch' in target) return inProcess(target);
    if ('ready' in target) {
      await target.ready();
      return serve(target.server);
    }
  }
  throw invalid('target', TARGETS, target);
}

function inProcess(app: FetchApplication): Host {
  return {
    send: (request, signal) => sendInProcess(app, request, signal),
    close: async () => {},
  };
}

function remote(origin: URL): Host {
  return {
    send: (request, signal) => sendOverHttp(origin, request, signal),
    close: async () => {},
  };
}

/** Starts a server if it does not listen. A server that was started here is closed with its last client. */
async function serve(server: AnyServer): Promise<Host> {
  // After `listen()` with a host, `listening` is false until the next iteration of the event loop.
  if (!server.listening) await new Promise(resolve => setImmediate(resolve));
  const clients = served.get(server);
  if (clients !== undefined || !server.listening) served.set(server, (clients ?? 0) + 1);
  if (clients === undefined && !server.listening) {
    // A test that does not close its client still ends.
    server.unref();
    server.on('connection', unref);
    server.listen(0, '127.0.0.1');
  }
  if (server.address() === null) await once(server, 'listening');
  const { address, family, port } = server.address() as AddressInfo;
  const anywhere = address === '::' || address === '0.0.0.0';
  const name = anywhere ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return {
    ...remote(new URL(`${'setSecureContext' in server ? 'https' : 'http'}://${name}:${port}`)),
    async close() {
      const others = served.get(server);
      if (others === undefined) return;
      served.set(server, others - 1);
      if (others > 1) return;
      served.delete(server);
      server.off('connection', unref);
      const closed = new Promise(resolve => server.close(resolve));
      if ('closeAllConnections' in server) server.closeAllConnections();
      await closed;
    },
  };
}
