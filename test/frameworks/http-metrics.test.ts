import { createHub } from '@tidings/core';
import { asksForEventStream, isEventStream } from '@tidings/metrics';
import express from 'express';
import promBundle from 'express-prom-bundle';
import { pinoHttp } from 'pino-http';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { eventually, request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { FRAMEWORKS, listenerFor } from './instrumented-apps.ts';
import type { Report } from './otel-server.ts';

const running: Running[] = [];
let child: Child | undefined;
afterEach(() => {
  for (const server of running.splice(0)) server.kill();
  child?.kill();
  child = undefined;
});

const ACCEPT = { headers: { accept: 'text/event-stream' } };

/** As long as it takes on a busy machine. */
const until = <T>(read: () => Promise<T>, expected: T) => expect.poll(read).toEqual(expected);

/** A stream that has ended, and a response. */
async function useBoth(origin: string, isOpen: () => boolean): Promise<void> {
  const client = await request(origin, '/events', ACCEPT);
  await (await request(origin, '/plain')).ended;
  client.leave();
  await client.ended;
  await eventually(() => !isOpen());
}

describe.each(FRAMEWORKS)('on %s', framework => {
  it('pino-http logs no event stream as a request', async () => {
    const hub = createHub();
    const lines: string[] = [];
    const logger = pinoHttp(
      { autoLogging: { ignore: asksForEventStream } },
      { write: (line: string) => void lines.push(line) },
    );
    const server = await listen(listenerFor(framework, hub, (req, res) => logger(req, res)));
    running.push(server);
    await useBoth(server.origin, () => hub.streams.size > 0);
    await eventually(() => lines.length > 0);
    expect(lines.map(line => JSON.parse(line).req.url)).toEqual(['/plain']);
  });

  it('OpenTelemetry measures no event stream as a request, and request spans end at the headers', async () => {
    child = await start(new URL('otel-server.ts', import.meta.url), framework);
    const report = () => (child as Child).ask<Report>('report');
    // An EventSource is left out altogether. A client that does not say what it wants has a span as every request.
    const eventSource = await request(child.origin, '/events', ACCEPT);
    const other = await request(child.origin, '/events');
    await (await request(child.origin, '/plain')).ended;
    await until(async () => (await report()).spans.length, 2);
    const open = await report();
    expect(open.streams).toBe(2);
    // That of /plain, and that of the stream which is still open.
    expect(open.spans.map(({ name }) => name)).toEqual(['GET', 'GET']);
    const ended = open.spans.find(({ attributes }) => attributes['url.path'] === '/events');
    expect(ended?.attributes['http.response.status_code']).toBe(200);
    expect(open.requests).toBe(1);

    for (const client of [eventSource, other]) {
      client.leave();
      await client.ended;
    }
    await until(async () => (await report()).streams, 0);
    const { spans, requests } = await report();
    const streams = spans.filter(({ name }) => name === 'tidings.stream');
    expect(streams.map(({ links }) => links)).toEqual(expect.arrayContaining([[], [ended?.id]]));
    expect(streams).toHaveLength(2);
    expect(spans).toHaveLength(4);
    expect(requests).toBe(2);
  });
});

it('express-prom-bundle has no event stream in its histogram', async () => {
  const hub = createHub();
  const promRegistry = new Registry();
  const app = express();
  app.use(
    promBundle({ promRegistry, includePath: true, bypass: { onFinish: (_req, res) => isEventStream(res) } }),
  );
  app.use(listenerFor('express', hub) as express.Express);
  const server = await listen(app);
  running.push(server);
  await useBoth(server.origin, () => hub.streams.size > 0);
  const counts = async () => {
    const text = await promRegistry.metrics();
    return [...text.matchAll(/^http_request_duration_seconds_count\{.*path="([^"]*)".*\} (\d+)$/gm)].map(
      ([, path, count]) => [path, count],
    );
  };
  await until(counts, [['/plain', '1']]);
});
