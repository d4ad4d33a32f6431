import { createHub, type EventStream, type HubOptions, type StreamOptions } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { listen } from '../support/server.ts';

interface Setup {
  request?: { path?: string; headers?: Record<string, string> };
  hub?: HubOptions;
  stream?: StreamOptions;
}

/** A whole response as it came over a socket. */
export interface Answer {
  status: number;
  headers: Headers;
  bytes: Uint8Array;
  text: string;
}

/** Opens a stream on a real server, leaves it to `use`, which has to close it, and reads the response to its end. */
export async function respond(
  use: (stream: EventStream) => unknown,
  { request = {}, hub, stream: options }: Setup = {},
): Promise<Answer> {
  let used: Promise<unknown> | undefined;
  const server = await listen((req, res) => {
    const stream = openStream(req, res, { hub: createHub(hub), ...options });
    used = (async () => use(stream))();
    used.catch(() => stream.close());
  });
  try {
    const { path = '/', headers = {} } = request;
    const response = await fetch(server.origin + path, { headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    await used;
    const text = new TextDecoder().decode(bytes);
    return { status: response.status, headers: response.headers, bytes, text };
  } finally {
    server.kill();
  }
}
