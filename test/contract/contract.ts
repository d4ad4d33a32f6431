import { createHub, type EventStream, type Hub, type HubOptions, type StreamOptions } from '@tidings/core';
import { afterEach, describe } from 'vitest';
import { type Client, type RequestOptions, request } from '../support/client.ts';
import type { Running } from '../support/server.ts';
import { expressMounts } from './express.ts';
import { fastifyMounts } from './fastify.ts';
import { fetchMounts } from './fetch.ts';
import { koaMounts } from './koa.ts';
import type { Handler, Mount } from './mount.ts';
import { nodeHttp, nodeHttp2, nodeHttpNative } from './node.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;

const mounts: Mount[] = [
  nodeHttp,
  nodeHttp2,
  ...nodeHttpNative,
  ...expressMounts,
  ...koaMounts,
  ...fastifyMounts,
  ...fetchMounts,
];

interface Served {
  hub: Hub;
  server: Running;
  get(path?: string, options?: RequestOptions): Promise<Client>;
}

interface Connected extends Served {
  client: Client;
  stream: EventStream;
}

interface Setup {
  /** What the handler does with the stream. */
  use?: (stream: EventStream) => unknown;
  hub?: HubOptions;
  stream?: StreamOptions;
  request?: RequestOptions;
}

export interface Harness {
  mount: Mount;
  serve(handler: Handler, options?: HubOptions): Promise<Served>;
  /** A server that has one stream open, and both ends of it. */
  connect(setup?: Setup): Promise<Connected>;
}

/** Declares tests that hold for every way to serve a stream, in the words of `Context`. */
export function contract(name: string, tests: (harness: Harness) => void): void {
  describe.each(mounts)(`${name} · $name`, mount => {
    const running: Running[] = [];
    afterEach(() => {
      for (const server of running.splice(0)) server.kill();
    });

    const harness: Harness = {
      mount,
      async serve(handler, options) {
        const hub = createHub({ ...mount.hub, ...options });
        const server = await mount.serve(hub, handler);
        running.push(server);
        return {
          hub,
          server,
          get: (path = '/', requestOptions = {}) =>
            request(server.origin, path, { ...requestOptions, http2: mount.http2 ?? false }),
        };
      },
      async connect(setup = {}) {
        let stream: EventStream | undefined;
        const served = await harness.serve(
          context =>
            context.stream(opened => {
              stream = opened;
              return setup.use?.(opened);
            }, setup.stream),
          setup.hub,
        );
        const client = await served.get('/', setup.request);
        return { ...served, client, stream: stream as EventStream };
      },
    };
    tests(harness);
  });
}

/**
 * Sends until the stream of a peer that has stopped to read is full and stays so: what is between the two, the
 * kernel's buffers above all, takes a lot, and not all at once. Returns how many events that took.
 */
export async function fill(stream: EventStream): Promise<number> {
  let sent = 0;
  for (;;) {
    do sent += 1;
    while (stream.send('x'.repeat(16 * KIB)));
    const waited = new Promise<boolean>(resolve => setTimeout(resolve, 60, false));
    const isDrained = await Promise.race([stream.drained().then(() => true), waited]);
    if (!isDrained || stream.signal.aborted) return sent;
  }
}
