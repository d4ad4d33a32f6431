import { gunzipSync } from 'node:zlib';
import { createHub, type EventStream } from '@tidings/core';
import { sse } from '@tidings/express';
import express from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, type RequestOptions, request } from '../support/client.ts';
import { freePort, listen, type Running } from '../support/server.ts';
import { type Program, startProgram } from './program.ts';
import { IDLE, proxies } from './proxies.ts';
import { describeSubject } from './subject.ts';

/** Ms: several of them fit in the time-out. */
const HEARTBEAT = 250;
const HEADERS = { 'Accept-Encoding': 'gzip' };

describe('Proxies', () => {
  for (const { configure, http2 = false, isEncoded = false, hidesBreaks, note, ...subject } of proxies) {
    describeSubject(subject, () => {
      const hubs = {
        beating: createHub({ heartbeat: HEARTBEAT, onError: () => {} }),
        silent: createHub({ heartbeat: false }),
        compressed: createHub({ heartbeat: HEARTBEAT, compression: { minStreams: 1 } }),
      };
      /** By the path of their request. */
      const streams = new Map<string, EventStream>();
      let server: Running | undefined;
      let proxy: Program | undefined;
      let origin: string;
      /** The rest of the response to a POST. */
      let rest = async () => 'the rest';

      beforeAll(async () => {
        const app = express();
        for (const [name, hub] of Object.entries(hubs)) app.use(`/${name}`, sse({ hub }));
        app.post('/beating/answer', (_req, res) => {
          res.sse().stream(async function* () {
            yield 'half';
            yield await rest();
          });
        });
        app.use((req, res) => {
          streams.set(req.path, res.sse().subscribe('news'));
        });
        server = await listen(app);
        const upstream = Number(new URL(server.origin).port);
        const port = await freePort();
        origin = `http://127.0.0.1:${port}`;
        proxy = await startProgram(subject.program, port, folder => configure({ port, upstream }, folder));
      });
      afterAll(async () => {
        await proxy?.stop();
        server?.kill();
      });

      async function open(hub: keyof typeof hubs, options?: RequestOptions) {
        const path = `/${hub}/${streams.size}`;
        const client = await request(origin, path, { http2, headers: HEADERS, ...options });
        return { client, stream: streams.get(path) as EventStream };
      }

      test('the first byte arrives within 200 ms, each event within 200 ms and before the next one is sent', async ({
        annotate,
      }) => {
        if (note) annotate(note, 'note');
        const firstBytes: number[] = [];
        const delays: number[] = [];
        for (let requests = 0; requests < 5; requests++) {
          const requestedAt = performance.now();
          const { client, stream } = await open('silent');
          await client.until(({ text }) => text !== '');
          firstBytes.push(performance.now() - requestedAt);
          expect(client.headers['content-encoding']).toBe(isEncoded ? 'gzip' : undefined);
          for (let sent = 1; sent <= 5; sent++) {
            const sentAt = performance.now();
            stream.send(sent);
            await client.until(() => dataOf(client).length === sent);
            delays.push(performance.now() - sentAt);
          }
          stream.close();
          expect(await client.ended).toBe(true);
        }
        // The middle one: this machine may have other things to do, a proxy that buffers does so every time.
        expect(median(firstBytes)).toBeLessThan(200);
        expect(median(delays)).toBeLessThan(200);
      });

      test('a compressed response is forwarded unchanged, each event immediately', async () => {
        const { client, stream } = await open('compressed');
        for (let n = 1; n <= 20; n++) {
          const data = `<tr id="row-${n}"><td class="name">Server ${n}</td></tr>`;
          if (n % 8 === 0) stream.send(data);
          else await hubs.compressed.publish('news', data);
          await client.until(() => dataOf(client).at(-1) === data);
        }
        expect(client.headers['content-encoding']).toBe('gzip');
        stream.close();
        expect(await client.ended).toBe(true);
        expect(gunzipSync(client.body).toString()).toBe(client.text);
      });

      test('a disconnect of the client is detected', async () => {
        let leave = () => {};
        const leaveAfter = new Promise<void>(resolve => {
          leave = resolve;
        });
        const closing = await open('beating', { leaveAfter });
        const resetting = await open('beating');
        leave();
        resetting.client.reset();
        for (const { stream } of [closing, resetting]) expect(await stream.closed).toBe('disconnected');
      });

      test.concurrent('heartbeats keep an idle stream open beyond the timeout of the proxy', async () => {
        const { client, stream } = await open('beating');
        const beats = (2 * IDLE * 1_000) / HEARTBEAT;
        await client.until(({ comments }) => comments.length > beats);
        stream.send('at last');
        await client.until(() => dataOf(client).length === 1);
      });

      test.concurrent('without heartbeats the proxy aborts it, and its client resumes', async () => {
        const { client: before, stream } = await open('silent');
        for (const number of [1, 2]) await hubs.silent.publish('news', number);
        await before.until(() => dataOf(before).length === 2);
        await before.ended;
        expect(await stream.closed).toBe('disconnected');
        for (const number of [3, 4]) await hubs.silent.publish('news', number);
        const lastId = before.events.at(-1)?.id ?? '';
        const { client: after } = await open('silent', { headers: { ...HEADERS, 'Last-Event-ID': lastId } });
        // At once: the proxy cuts this connection, too.
        await hubs.silent.publish('news', 5);
        await after.until(() => dataOf(after).length === 3);
        expect([...dataOf(before), ...dataOf(after)]).toEqual(['1', '2', '3', '4', '5']);
      });

      if (hidesBreaks) return;
      test('an interrupted response to a POST is incomplete for the client', async () => {
        const ask = () =>
          request(origin, '/beating/answer', { http2, headers: HEADERS, method: 'POST', body: 'x' });
        const whole = await ask();
        expect(await whole.ended).toBe(true);
        expect(dataOf(whole)).toEqual(['half', 'the rest']);
        let fail = () => {};
        rest = () =>
          new Promise((_, reject) => {
            fail = () => reject(new Error('the model is gone'));
          });
        const half = await ask();
        await half.until(({ events }) => events.length === 1);
        fail();
        expect(await half.ended).toBe(false);
      });
    });
  }
});

/** Of what reaches a page's `onmessage`. */
function dataOf({ events }: Client): string[] {
  return events.filter(({ event }) => event === undefined).map(({ data }) => data);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}
