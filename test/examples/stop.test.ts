import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { folderOf, signal, start } from '../support/example.ts';
import { freePort } from '../support/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidings-stop-'));
afterAll(() => rmSync(folder, { recursive: true }));

const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

/** A request of each framework's: where to, its body, and what it is answered. */
const requests: [example: string, path: string, type: string, body: string, status: number][] = [
  ['htmx-jobs', '/jobs', form, 'name=&files=1', 422],
  ['koa-timeline', '/login', json, '{"name":"A"}', 400],
  ['hono-answers', '/answers', json, '{"prompt":""}', 400],
];

test.each(requests)(
  '%s completes pending requests when it receives a signal',
  async (name, path, type, body, status) => {
    const port = await freePort();
    const app = await start(folderOf(name), port, { DATABASE: join(folder, `${name}.db`) });
    // So that the server says when it has begun with the request.
    const headers = { 'content-type': type, 'content-length': body.length, expect: '100-continue' };
    const req = http.request({ port, host: '127.0.0.1', path, method: 'POST', headers });
    const half = body.length / 2;
    req.flushHeaders();
    await once(req, 'continue');
    req.write(body.slice(0, half));
    const ended = signal(app, 'SIGTERM');
    await refuses(port);
    req.end(body.slice(half));
    const [res] = await once(req, 'response');
    expect(res.statusCode).toBe(status);
    res.resume();
    expect(await ended).toEqual([0, null]);
  },
);

/** Resolves when nobody listens on a port any more. */
async function refuses(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (!isThere) return;
  }
}
