import { connect } from '@tidings/client';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { collect, dataOf, reaches, serve, statesOf, until } from './harness.ts';

describe('events', () => {
  it('reach the listeners of their name, with their id', async () => {
    const site = await serve();
    const events = site.connect();
    const messages = collect(events);
    const ticks = collect(events, 'tick');
    await site.has(1);
    const id = await site.hub.publish('news', { price: 1 }, { event: 'tick' });
    await site.hub.publish('news', 'plain');
    await until(() => messages.length === 1);
    expect(ticks).toEqual([{ event: 'tick', data: { price: 1 }, id }]);
    expect(dataOf(messages)).toEqual(['plain']);
    expect(events.lastEventId).toBe(messages[0]?.id);
  });

  it('do not reach a listener that was removed', async () => {
    const site = await serve();
    const events = site.connect();
    const messages = collect(events);
    const listener = vi.fn();
    const remove = [events.on('message', listener), events.on('message', listener)];
    remove[0]?.();
    await site.has(1);
    site.hub.publish('news', 'one');
    await until(() => messages.length === 1);
    expect(listener).toHaveBeenCalledTimes(1);
    remove[1]?.();
    site.hub.publish('news', 'two');
    await until(() => messages.length === 2);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it('stay text where `text` names them', async () => {
    const site = await serve();
    const events = site.connect({ text: ['token'] });
    const tokens = collect(events, 'token');
    const messages = collect(events);
    await site.has(1);
    for (const token of ['4', ' {}', 'null']) site.hub.publish('news', token, { event: 'token' });
    site.hub.publish('news', 4);
    await until(() => messages.length === 1);
    expect(dataOf(tokens)).toEqual(['4', ' {}', 'null']);
    expect(dataOf(messages)).toEqual([4]);
  });

  it('reach the other listeners when one throws', async () => {
    const site = await serve();
    const events = site.connect();
    const uncaught = vi.fn();
    process.setUncaughtExceptionCaptureCallback(uncaught);
    onTestFinished(() => process.setUncaughtExceptionCaptureCallback(null));
    events.on('message', () => {
      throw new Error('of the listener');
    });
    const messages = collect(events);
    await site.has(1);
    site.hub.publish('news', 'one');
    site.hub.publish('news', 'two');
    await until(() => uncaught.mock.calls.length === 2 && messages.length === 2);
    expect(uncaught.mock.calls[0]?.[0]).toEqual(new Error('of the listener'));
  });
});

describe('iterating', () => {
  it('yields every event in order, whatever its name, and ends at the end marker', async () => {
    const site = await serve();
    const events = site.connect();
    site.has(1).then(async () => {
      await site.hub.publish('news', 1);
      await site.hub.publish('news', 2, { event: 'tick' });
      await site.hub.channel('news').end();
    });
    const seen: unknown[] = [];
    for await (const { event, data } of events) seen.push([event, data]);
    expect(seen).toEqual([
      ['message', 1],
      ['tick', 2],
    ]);
    expect(events.state).toBe('ended');
    expect(site.requests).toHaveLength(1);
  });

  it('queues the events that arrive while the loop is busy', async () => {
    const site = await serve();
    const events = site.connect();
    const messages = collect(events);
    site.has(1).then(() => site.hub.publish('news', 0));
    const seen: unknown[] = [];
    for await (const { data } of events) {
      seen.push(data);
      if (data === 9) break;
      if (data !== 0) continue;
      for (let n = 1; n < 10; n++) site.hub.publish('news', n);
      await until(() => messages.length === 10);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('throws the error of a failed connection', async () => {
    const site = await serve();
    site.respond = (_req, res) => res.writeHead(404, { 'content-type': 'text/html' }).end('none');
    const events = site.connect();
    const loop = async () => {
      for await (const _ of events);
    };
    await expect(loop()).rejects.toThrow(`${site.url} responded with 404 text/html, not an event stream`);
    await expect(loop()).rejects.toThrow('404');
    expect(events.state).toBe('failed');
  });

  it('ends when the connection is closed', async () => {
    const site = await serve();
    const events = site.connect();
    site.has(1).then(() => events.close());
    for await (const _ of events);
    expect(events.state).toBe('ended');
  });
});

describe('the request', () => {
  it('requires a valid URL', () => {
    expect(() => connect('/events')).toThrow(TypeError);
  });

  it('calls the functions for headers, method and body before each attempt', async () => {
    const site = await serve();
    const bodies: string[] = [];
    site.respond = async (req, res) => {
      bodies.push(Buffer.concat(await req.toArray()).toString());
      site.follow({ retry: 1 })(req, res);
    };
    let attempts = 0;
    const events = site.connect({
      headers: async () => ({ authorization: `Bearer ${++attempts}`, 'content-type': 'text/plain' }),
      body: () => `question ${attempts}`,
    });
    const messages = collect(events);
    await site.has(1);
    await site.hub.publish('news', 'one');
    await until(() => messages.length === 1);
    site.cut();
    await site.hub.publish('news', 'two');
    await until(() => messages.length === 2);
    expect(dataOf(messages)).toEqual(['one', 'two']);
    expect(bodies).toEqual(['question 1', 'question 2']);
    const [first, second] = site.requests;
    expect(first).toMatchObject({ method: 'POST', headers: { accept: 'text/event-stream' } });
    expect(first?.headers['last-event-id']).toBeUndefined();
    expect(second?.headers.authorization).toBe('Bearer 2');
    expect(second?.headers['last-event-id']).toBe(messages[0]?.id);
  });

  it('accepts a stream as the body, with a new one for each attempt', async () => {
    const site = await serve();
    const bodies: string[] = [];
    site.respond = async (req, res) => {
      bodies.push(Buffer.concat(await req.toArray()).toString());
      site.follow({ retry: 1 })(req, res);
    };
    const events = site.connect({ body: () => new Blob(['question']).stream() });
    await until(() => events.lastEventId !== '');
    site.cut();
    await until(() => bodies.length === 2);
    expect(bodies).toEqual(['question', 'question']);
  });

  it('is repeated when `fetch` throws', async () => {
    const site = await serve();
    let attempts = 0;
    const events = site.connect({
      fetch: (url, init) => {
        attempts += 1;
        if (attempts === 1) throw new Error('of its own');
        return fetch(url, init);
      },
    });
    const errors: unknown[] = [];
    events.on('state', state => state === 'waiting' && errors.push(events.error?.message));
    await reaches(events, 'open');
    expect(errors).toEqual(['of its own']);
  });

  it('sends an id that is not ASCII as UTF-8', async () => {
    const site = await serve();
    site.respond = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 1\nid: ü-7\n\n');
    };
    site.connect();
    await until(() => site.requests.length === 2);
    const sent = site.requests[1]?.headers['last-event-id'] as string;
    expect(Buffer.from(sent, 'latin1').toString()).toBe('ü-7');
  });

  it('is sent with the option `fetch`', async () => {
    const site = await serve();
    const urls: string[] = [];
    const events = site.connect({
      fetch: (url, init) => {
        urls.push(url);
        return fetch(url, init);
      },
    });
    await reaches(events, 'open');
    expect(urls).toEqual([site.url]);
  });
});

describe('close', () => {
  it('ends the stream on the server permanently', async () => {
    const site = await serve();
    const events = site.connect();
    const states = statesOf(events);
    await site.has(1);
    await reaches(events, 'open');
    events.close();
    events.close();
    await site.has(0);
    events.reconnect();
    expect(events.state).toBe('ended');
    expect(states).toEqual(['open', 'ended']);
  });

  it('is called when the signal is aborted', async () => {
    const site = await serve();
    const controller = new AbortController();
    const events = site.connect({ signal: controller.signal });
    await site.has(1);
    controller.abort();
    expect(events.state).toBe('ended');
    await site.has(0);
    expect(site.connect({ signal: controller.signal }).state).toBe('ended');
  });

  it('delivers no further event of the same chunk', async () => {
    const site = await serve();
    site.respond = (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\ndata: 2\n\n');
    };
    const events = site.connect();
    const messages = collect(events);
    events.on('message', () => events.close());
    await reaches(events, 'ended');
    expect(dataOf(messages)).toEqual([1]);
  });

  it('sends no request when the headers function resolves after it', async () => {
    const site = await serve();
    let answer = (_: Record<string, string>) => {};
    const events = site.connect({ headers: () => new Promise(resolve => (answer = resolve)) });
    await Promise.resolve();
    events.close();
    answer({});
    await new Promise(resolve => setImmediate(resolve));
    expect(site.requests).toEqual([]);
  });
});
