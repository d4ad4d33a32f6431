import { setTimeout as sleep } from 'node:timers/promises';
import { createHub } from '@tidings/core';
import { sse } from '@tidings/express';
import { EventSource, type EventSourceInit } from 'eventsource';
import express from 'express';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';

const hub = createHub();
const app = express();
app.use(sse({ hub }));
app.get('/kinds', (_req, res) => {
  const stream = res.sse().subscribe('kinds');
  stream.send('without a name');
  stream.send('with its name', { event: 'message' });
  stream.send('🦄 🏃🏽‍♀️ 豆腐 Espen ♥', { event: 'other' });
});
app.get('/counter', (_req, res) => {
  const stream = res.sse({ retry: 5 });
  const last = Number(stream.lastEventId ?? 0);
  for (const n of [last + 1, last + 2, last + 3]) stream.send(n, { event: 'count', id: String(n) });
  stream.close();
});
app.get('/once', (_req, res) => {
  res.sse({ retry: 5 }).stream(['100 %'], { event: 'progress' });
});
app.get('/slow', async (_req, res) => {
  await sleep(30);
  res.sse().send('at last');
});
app.get('/who', (req, res) => {
  res.sse().send(req.get('authorization') ?? 'nobody');
});
app.get('/moved/:status', (req, res) => {
  const { host = '' } = req.headers;
  const there = 'away' in req.query ? host.replace('127.0.0.1', 'localhost') : host;
  res.redirect(Number(req.params.status), `http://${there}/counter`);
});

let server: Running;
beforeAll(async () => {
  server = await listen(app);
});
afterAll(() => server.kill());
const sources: EventSource[] = [];
afterEach(() => {
  for (const source of sources.splice(0)) source.close();
});

/** What an EventSource has dispatched, in order. */
function follow(path: string, options?: EventSourceInit) {
  const source = new EventSource(server.origin + path, options);
  sources.push(source);
  const seen: MessageEvent[] = [];
  const states: [type: string, readyState: number][] = [];
  const types = ['message', 'other', 'count', 'progress', 'tidings'];
  for (const type of types) source.addEventListener(type, event => seen.push(event));
  for (const type of ['open', 'error'])
    source.addEventListener(type, () => states.push([type, source.readyState]));
  return { source, seen, states };
}

const { CONNECTING, OPEN, CLOSED } = EventSource;

describe('an EventSource', () => {
  it('dispatches events with their name, data, id and origin', async () => {
    const { seen } = follow('/counter');
    await eventually(() => seen.length >= 2);
    expect(seen[1]).toMatchObject({ type: 'count', data: '2', lastEventId: '2', origin: server.origin });
  });

  it('calls `onmessage` for events without a name, and for those named `message`', async () => {
    const { source, seen } = follow('/kinds');
    const messages: string[] = [];
    source.onmessage = ({ data }) => messages.push(data);
    // A marker is the last: its id counts, and `onmessage` is not called.
    await eventually(() => seen.length === 4);
    expect(messages).toEqual(['without a name', 'with its name']);
    expect(seen[2]?.data).toBe('🦄 🏃🏽‍♀️ 豆腐 Espen ♥');
    expect(seen[3]).toMatchObject({ type: 'tidings', data: '', lastEventId: await hub.position() });
  });

  it('reconnects when the server closes a stream, after the last id', async () => {
    const { seen, states } = follow('/counter');
    await eventually(() => seen.length >= 8);
    expect(seen.slice(0, 8).map(({ data }) => data)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8']);
    expect(states.slice(0, 3)).toEqual([
      ['open', OPEN],
      ['error', CONNECTING],
      ['open', OPEN],
    ]);
  });

  it('is closed by the 204 after a finished source', async () => {
    const { seen, states } = follow('/once');
    await eventually(() => states.length === 3);
    expect(states).toEqual([
      ['open', OPEN],
      ['error', CONNECTING],
      ['error', CLOSED],
    ]);
    expect(seen.filter(({ type }) => type === 'progress').map(({ data }) => data)).toEqual(['100 %']);
  });

  it('is connecting until the handler opens the stream, and closed by `close()` alone', async () => {
    const { source, seen, states } = follow('/slow');
    expect(source.readyState).toBe(CONNECTING);
    await eventually(() => seen.length === 1);
    expect(states).toEqual([['open', OPEN]]);
    source.close();
    await eventually(() => hub.streams.size === 0);
    expect([source.readyState, states.length]).toEqual([CLOSED, 1]);
  });

  it('sends custom headers with each request', async () => {
    const withToken = (url: string | URL, init: RequestInit) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: 'Bearer 1' } });
    const { seen } = follow('/who', { fetch: withToken as never });
    await eventually(() => seen.length === 1);
    expect(seen[0]?.data).toBe('Bearer 1');
  });

  describe.each([301, 302, 307, 308])('follows a redirect with %d', status => {
    it.each(['', '?away'])('and resumes through it%s', async query => {
      const path = `/moved/${status}${query}`;
      const { source, seen } = follow(path);
      await eventually(() => seen.length >= 4);
      expect(seen.slice(0, 4).map(({ lastEventId }) => lastEventId)).toEqual(['1', '2', '3', '4']);
      expect(seen[0]?.origin).toBe(query ? server.origin.replace('127.0.0.1', 'localhost') : server.origin);
      expect(source.url).toBe(server.origin + path);
    });
  });
});
