import type { ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { collect, dataOf, serve, until } from './harness.ts';

/** A route of another kind: the test writes each response, and sees after which id channels are asked for. */
async function serveByHand(storedAt: string) {
  const site = await serve();
  const asked: (string | undefined)[] = [];
  const streams: ServerResponse[] = [];
  site.respond = async (req, res) => {
    if (req.method === 'POST') {
      asked.push(((await json(req)) as { lastEventId?: string }).lastEventId);
      res.writeHead(204, { 'tidings-position': storedAt }).end();
      return;
    }
    res.writeHead(200, { 'content-type': 'text/event-stream', 'tidings-stream': 'one' });
    streams.push(res);
    res.write('id: e-10\nevent: tidings\ndata:\n\n');
  };
  const events = site.connect({ control: '/control' });
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
