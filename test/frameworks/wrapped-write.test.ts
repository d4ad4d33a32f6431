import { type IncomingMessage, OutgoingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { request } from '../support/client.ts';
import { listen } from '../support/server.ts';

it('writes every chunk through a `write` that was wrapped before the import, as APMs do', async () => {
  const { write } = OutgoingMessage.prototype;
  const written: string[] = [];
  OutgoingMessage.prototype.write = function wrapped(this: OutgoingMessage, ...args: unknown[]) {
    written.push(String(args[0]));
    return Reflect.apply(write, this, args);
  } as typeof write;
  vi.resetModules();
  const { createHub } = await import('@tidings/core');
  const { openStream } = await import('@tidings/core/node');
  const hub = createHub();
  const server = await listen((req: IncomingMessage, res: ServerResponse) => {
    openStream(req, res, { hub }).stream(async function* () {
      for (let n = 0; n < 3; n++, await sleep(5)) yield n;
    });
  });
  const client = await request(server.origin, '/');
  expect(await client.ended).toBe(true);
  OutgoingMessage.prototype.write = write;
  server.kill();
  expect(written.join('')).toBe(client.text);
});
