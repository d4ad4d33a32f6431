import type { Events } from '@tidings/client';
import { openStream } from '@tidings/core/node';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { collect, dataOf, reaches, type Site, serve, statesOf, until } from './harness.ts';

/** Responds with a status, so many times, then as before. */
function answer(site: Site, status: number, headers: Record<string, string> = {}, times = 1): void {
  const { respond } = site;
  let left = times;
  site.respond = (req, res) => {
    if (left-- > 0) res.writeHead(status, headers).end();
    else respond(req, res);
  };
}

/** The ms of the timers that the client starts when it begins to wait. */
function waitsOf(events: Events): () => number[] {
  const started = vi.spyOn(globalThis, 'setTimeout');
  onTestFinished(() => started.mockRestore());
  const waits: number[] = [];
  events.on('state', state => {
    if (state === 'waiting') waits.push(started.mock.lastCall?.[1] ?? 0);
  });
  return () => waits;
}

describe('a connection that ends', () => {
  it('resumes after the last event, without gaps or duplicates', async () => {
    const site = await serve();
    site.respond = site.follow({ retry: 1 });
    const events = site.connect();
    const messages = collect(events);
    await site.has(1);
    const all = Array.from({ length: 60 }, (_, n) => n);
    for (const n of all) {
      await site.hub.publish('news', n);
      if (n === 20) for (const stream of site.hub.streams) stream.close();
      if (n === 40) site.cut();
      if (n === 30) await until(() => site.requests.length === 2);
    }
    await until(() => messages.length === all.length);
    expect(dataOf(messages)).toEqual(all);
    expect(site.requests).toHaveLength(3);
  });

  it('resumes after the marker of a stream without events', async () => {
    const site = await serve();
    const events = site.connect();
    const messages = collect(events);
    await until(() => events.lastEventId !== '');
    site.cut();
    await site.hub.publish('news', 'meanwhile');
    await until(() => messages.length === 1);
    expect(dataOf(messages)).toEqual(['meanwhile']);
  });

  it('receives a reset when events are missing', async () => {
    const site = await serve({ history: { events: 2 } });
    const events = site.connect();
    const resets = collect(events, 'reset');
    const messages = collect(events);
    await until(() => events.lastEventId !== '');
    site.cut();
    for (let n = 0; n < 5; n++) await site.hub.publish('news', n);
    await until(() => messages.length === 2);
    expect(dataOf(resets)).toEqual([{ channels: ['news'], reason: 'history' }]);
    expect(dataOf(messages)).toEqual([3, 4]);
  });

  it('goes through the states connecting, open, waiting', async () => {
    const site = await serve();
    const events = site.connect();
    const states = statesOf(events);
    expect(events.state).toBe('connecting');
    await reaches(events, 'open');
    site.cut();
    await until(() => site.requests.length === 2);
    await reaches(events, 'open');
    expect(states).toEqual(['open', 'waiting', 'connecting', 'open']);
    expect(events.error).toBeUndefined();
  });

  it('waits exactly as long as `retry` says, unless `reconnect()` is called', async () => {
    const site = await serve();
    site.respond = site.follow({ retry: 60_000 });
    const events = site.connect();
    await reaches(events, 'open');
    const waits = waitsOf(events);
    for (const stream of site.hub.streams) stream.close();
    await reaches(events, 'waiting');
    expect(waits()).toEqual([60_000]);
    events.reconnect();
    await reaches(events, 'open');
    expect(site.requests).toHaveLength(2);
  });
});

describe('the end', () => {
  it('is a 204', async () => {
    const site = await serve();
    answer(site, 204);
    const events = site.connect();
    await reaches(events, 'ended');
    expect(site.requests).toHaveLength(1);
  });

  it('is the marker after the last item of a source, without a further request', async () => {
    const site = await serve();
    site.respond = (req, res) => openStream(req, res, { hub: site.hub, retry: 1 }).stream(['a', 'b']);
    const events = site.connect();
    const messages = collect(events);
    await reaches(events, 'ended');
    expect(dataOf(messages)).toEqual(['a', 'b']);
    expect(events.lastEventId).toBe('end.');
    expect(site.requests).toHaveLength(1);
  });

  it('of a POST is the normal end of its response', async () => {
    const site = await serve();
    site.respond = (req, res) => openStream(req, res, { hub: site.hub, markers: false }).stream(['a', 'b']);
    const events = site.connect({ method: 'POST' });
    const messages = collect(events);
    await reaches(events, 'ended');
    expect(dataOf(messages)).toEqual(['a', 'b']);
    expect(site.requests).toHaveLength(1);
  });
});

describe('401 and 403', () => {
  it('call the headers function once more, with the status', async () => {
    const site = await serve();
    answer(site, 401);
    const rejected: unknown[] = [];
    const events = site.connect({
      headers: context => {
        rejected.push(context.rejected);
        return {};
      },
    });
    await reaches(events, 'open');
    expect(rejected).toEqual([undefined, 401]);
  });

  it('lead to `unauthorized` when they are repeated, until `reconnect()`', async () => {
    const site = await serve();
    answer(site, 403, {}, 2);
    const events = site.connect({ headers: () => ({}) });
    const states = statesOf(events);
    await reaches(events, 'unauthorized');
    expect(site.requests).toHaveLength(2);
    expect(events.error?.message).toContain('403');
    events.reconnect();
    await reaches(events, 'open');
    expect(states).toEqual(['unauthorized', 'connecting', 'open']);
  });

  it('are not retried with the same headers', async () => {
    const site = await serve();
    answer(site, 401);
    const events = site.connect({ headers: { authorization: 'old' } });
    await reaches(events, 'unauthorized');
    expect(site.requests).toHaveLength(1);
  });
});

describe('a failed attempt', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('with status %i is repeated', async status => {
    const site = await serve();
    answer(site, status, {}, 3);
    const events = site.connect();
    await reaches(events, 'open');
    expect(site.requests).toHaveLength(4);
  });

  it.each([
    [400, 'text/plain'],
    [404, 'text/html'],
    [200, 'application/json'],
    [200, 'text/event-streams'],
  ])('with status %i %s fails permanently', async (status, type) => {
    const site = await serve();
    answer(site, status, { 'content-type': type });
    const events = site.connect();
    await reaches(events, 'failed');
    expect(events.error?.message).toBe(`${site.url} responded with ${status} ${type}, not an event stream`);
    expect(site.requests).toHaveLength(1);
    events.reconnect();
    await reaches(events, 'open');
  });

  it('waits for Retry-After, in seconds or as a date', async () => {
    const site = await serve();
    for (const after of ['3600', new Date(Date.now() + 3_600_000).toUTCString()]) {
      answer(site, 503, { 'retry-after': after });
      const events = site.connect();
      const waits = waitsOf(events);
      await reaches(events, 'waiting');
      expect(waits().map(ms => Math.ceil(ms / 10_000))).toEqual([360]);
    }
  });

  it('is repeated when the headers function throws', async () => {
    const site = await serve();
    let attempts = 0;
    const events = site.connect({
      headers: () => {
        if (attempts++ === 0) throw new Error('no token');
        return {};
      },
    });
    const errors: unknown[] = [];
    events.on('state', state => errors.push(state, events.error));
    await reaches(events, 'open');
    expect(errors.slice(0, 2)).toEqual(['waiting', new Error('no token')]);
  });

  it('fails permanently for a POST that may have been processed, without an id', async () => {
    const site = await serve();
    site.respond = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n', () => res.destroy());
    };
    const events = site.connect({ method: 'POST' });
    await reaches(events, 'failed');
    expect(site.requests).toHaveLength(1);
  });

  it('is repeated for a POST that was refused with 503', async () => {
    const site = await serve();
    answer(site, 503, { 'retry-after': '0' });
    const events = site.connect({ method: 'POST' });
    await reaches(events, 'open');
  });
});
