import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { openStream } from '@tidings/core/node';
import { describe, expect, it } from 'vitest';
import { collect, dataOf, reaches, type Site, serve, until } from './harness.ts';

interface Change {
  stream: string;
  subscribe: string[];
  unsubscribe: string[];
  lastEventId?: string;
}

/** A control route, as `sse.control()` gives one. Statuses that the test adds come first. */
async function serveControl() {
  const site = await serve();
  const changes: Change[] = [];
  const statuses: number[] = [];
  const apply = async (req: IncomingMessage, res: ServerResponse) => {
    const change = (await json(req)) as Change;
    const { stream: id, subscribe, unsubscribe, lastEventId } = change;
    changes.push(change);
    const stream = [...site.hub.streams].find(open => open.id === id);
    const status = statuses.shift() ?? (stream ? 204 : 404);
    if (status === 204) {
      stream?.unsubscribe(unsubscribe);
      stream?.subscribe(subscribe, lastEventId ? { from: { after: lastEventId } } : {});
    }
    res.writeHead(status).end();
  };
  site.respond = (req, res) => {
    if (req.method === 'POST') return apply(req, res);
    const stream = openStream(req, res, { hub: site.hub }).subscribe('news');
    res.setHeader('tidings-stream', stream.id);
  };
  return { site, changes, statuses };
}

const follow = (site: Site) => site.connect({ control: '/control', headers: { 'x-token': 'secret' } });

describe('control', () => {
  it('subscribes and unsubscribes the open stream', async () => {
    const { site, changes } = await serveControl();
    const events = follow(site);
    const messages = collect(events);
    await until(() => events.lastEventId !== '');
    await events.subscribe(['a', 'b']);
    await site.hub.publish('a', 1);
    await site.hub.publish('b', 2);
    await events.unsubscribe('a');
    await site.hub.publish('a', 3);
    await site.hub.publish('b', 4);
    await until(() => messages.length === 3);
    expect(dataOf(messages)).toEqual([1, 2, 4]);
    expect(changes).toMatchObject([{ subscribe: ['a', 'b'] }, { unsubscribe: ['a'] }]);
    const [, post] = site.requests;
    expect(post?.url).toBe('/control');
    expect(post?.headers).toMatchObject({ 'content-type': 'application/json', 'x-token': 'secret' });
  });

  it('sends no request for channels that are subscribed already', async () => {
    const { site, changes } = await serveControl();
    const events = follow(site);
    await events.subscribe('a');
    await events.subscribe('a');
    await events.unsubscribe('never');
    expect(changes).toHaveLength(1);
  });

  it('subscribes again after a reconnect, without a gap', async () => {
    const { site, changes } = await serveControl();
    const events = follow(site);
    const messages = collect(events);
    await until(() => events.lastEventId !== '');
    await events.subscribe('a');
    await site.hub.publish('a', 1);
    await until(() => messages.length === 1);
    const { lastEventId } = events;
    site.cut();
    await site.has(0);
    await site.hub.publish('a', 2);
    await site.hub.publish('news', 3);
    await until(() => messages.length === 3);
    await site.hub.publish('a', 4);
    await until(() => messages.length === 4);
    expect(dataOf(messages).sort()).toEqual([1, 2, 3, 4]);
    expect(changes.at(-1)).toMatchObject({ subscribe: ['a'], lastEventId });
  });

  it('keeps the position of a channel until its subscription has taken effect', async () => {
    const { site, changes, statuses } = await serveControl();
    const events = follow(site);
    const messages = collect(events);
    await until(() => events.lastEventId !== '');
    const { lastEventId } = events;
    // Stored, and not applied before the connection breaks.
    statuses.push(202);
    await events.subscribe('a');
    await site.hub.publish('a', 1);
    site.cut();
    await until(() => messages.length === 1);
    expect(changes.map(change => change.lastEventId)).toEqual([lastEventId, lastEventId]);
  });

  it('waits for an open stream', async () => {
    const { site, changes } = await serveControl();
    const { respond } = site;
    site.respond = (_req, res) => res.writeHead(503).end();
    const events = follow(site);
    const subscribed = events.subscribe('a');
    await until(() => site.requests.length > 1);
    site.respond = respond;
    await subscribed;
    expect(changes).toMatchObject([{ subscribe: ['a'] }]);
  });

  it('sends the request again after a 503, and rejects after a 4xx', async () => {
    const { site, changes, statuses } = await serveControl();
    const events = follow(site);
    statuses.push(503);
    await events.subscribe('a');
    statuses.push(403);
    await expect(events.subscribe('b')).rejects.toThrow('403');
    statuses.push(503);
    await events.unsubscribe('a');
    expect(changes.map(({ subscribe }) => subscribe)).toEqual([['a'], ['a'], ['b'], [], []]);
    expect(changes.slice(-2).map(({ unsubscribe }) => unsubscribe)).toEqual([['a'], ['a']]);
  });

  it('rejects when the connection is closed', async () => {
    const { site } = await serveControl();
    site.respond = (_req, res) => res.writeHead(503).end();
    const events = follow(site);
    const subscribed = events.subscribe('a');
    await until(() => site.requests.length > 0);
    events.close();
    await expect(subscribed).rejects.toThrow('the connection is closed');
  });

  it('rejects if the response does not name its stream', async () => {
    const site = await serve();
    const events = site.connect({ control: '/control' });
    await reaches(events, 'open');
    await expect(events.subscribe('a')).rejects.toThrow('Tidings-Stream');
  });

  it('rejects after `close()`, also on an ended connection', async () => {
    const { site } = await serveControl();
    site.respond = (_req, res) => res.writeHead(204).end();
    const events = follow(site);
    await reaches(events, 'ended');
    const subscribed = events.subscribe('a');
    const ends = expect(subscribed).rejects.toThrow('the connection is closed');
    events.close();
    await ends;
    await expect(events.subscribe('b')).rejects.toThrow('the connection is closed');
  });

  it('rejects without the option', async () => {
    const site = await serve();
    const events = site.connect();
    await reaches(events, 'open');
    await expect(events.subscribe('a')).rejects.toThrow('control');
  });
});
