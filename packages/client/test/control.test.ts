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

/** A route of another kind: the test writes each response, and sees after which id channels are asked for. */
async function serveByHand(storedAt: string) {
  const site = await serve();
  const asked: (string | undefined)[] = [];
  const streams: ServerResponse[] = [];
  site.respond = async (req, res) => {
    if (req.method === 'POST') {
      asked.push(((await json(req)) as Change).lastEventId);
      res.writeHead(204, { 'tidings-position': storedAt }).end();
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream', 'tidings-stream': 'one' });
    streams.push(res);
    res.write('id: e-10\nevent: tidings\ndata:\n\n');
  };
  const events = follow(site);
  const messages = collect(events);
  await until(() => events.lastEventId === 'e-10');
  return { site, asked, streams, events, messages };
}

describe('a connection that breaks during a backfill', () => {
  const named = 'channel: a\nposition: e-11\ndata: 11\n\n';

  it('resumes after the last backfilled event if events have a channel and a position', async () => {
    const { asked, streams, events, messages } = await serveByHand('e-12');
    await events.subscribe('a');
    streams[0]?.write(`id: e-12~\nevent: tidings\ndata:\n\n${named}`);
    await until(() => messages.length === 1);
    streams[0]?.destroy();
    await until(() => asked.length === 2);
    // What was sent before is dropped, and what follows is not.
    streams[1]?.write(named + named.replaceAll('11', '12'));
    await until(() => messages.length === 2);
    expect(messages.map(({ channel, data }) => [channel, data])).toEqual([
      ['a', 11],
      ['a', 12],
    ]);
    expect(asked).toEqual(['e-10', 'e-11']);
  });

  it('requests a reset if they have not', async () => {
    const { asked, streams, events, messages } = await serveByHand('e-12');
    await events.subscribe('a');
    streams[0]?.write('id: e-12~\nevent: tidings\ndata:\n\ndata: 11\n\n');
    await until(() => messages.length === 1);
    streams[0]?.destroy();
    await until(() => asked.length === 2);
    expect(asked).toEqual(['e-10', 'e-12~']);
  });

  it('resumes after the position of the stream once the change is applied', async () => {
    const { asked, streams, events } = await serveByHand('e-12');
    await events.subscribe('a');
    for (const id of ['e-11', 'e-12', 'e-13']) {
      streams.at(-1)?.write(`id: ${id}\ndata: of another channel\n\n`);
      await until(() => events.lastEventId === id);
      streams.at(-1)?.destroy();
      const { length } = asked;
      await until(() => asked.length > length);
    }
    // The change was made at e-12. An event at that position may have come before.
    expect(asked).toEqual(['e-10', 'e-10', 'e-10', 'e-13']);
  });
});

describe('a reset that names a channel', () => {
  const reset = 'id: e-12~\nevent: reset\ndata: {"reason":"history","channels":["a"]}\n\n';
  const older = (position: number) => `channel: a\nposition: e-${position}\ndata: ${position}\n\n`;

  it('is followed by its state, which is older than what the client had', async () => {
    const { streams, events, messages, asked } = await serveByHand('e-12');
    await events.subscribe('a');
    streams[0]?.write(`${reset}${older(3)}${older(7)}`);
    await until(() => messages.length === 2);
    // The rest of the state is asked for.
    streams[0]?.destroy();
    await until(() => asked.length === 2);
    expect(dataOf(messages)).toEqual([3, 7]);
    expect(asked).toEqual(['e-10', 'e-7']);
  });

  it('comes again if the connection breaks before the state', async () => {
    const { streams, events, asked } = await serveByHand('e-12');
    const resets = collect(events, 'reset');
    await events.subscribe('a');
    streams[0]?.write('channel: news\nid: e-13\ndata: 13\n\n');
    await until(() => events.lastEventId === 'e-13');
    streams[0]?.write(reset.replace('12', '13'));
    await until(() => resets.length === 1);
    streams[0]?.destroy();
    await until(() => asked.length === 2);
    expect(asked).toEqual(['e-10', 'e-0']);
  });
});
