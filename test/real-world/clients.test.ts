import type { Socket } from 'node:net';
import { createHub, type Hub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { publishThrough, startNewsSite } from './news-site.ts';
import { nodeClients } from './node-clients.ts';
import { closeBrowser, pageClients } from './page-clients.ts';
import { programClients, removeCompiledPrograms } from './program-clients.ts';
import type { SseClient } from './sse-client.ts';
import { describeSubject } from './subject.ts';

const LARGE = 300_000;
const LINES = '\none:\n  two \n\ndata: ü 😀\n';

/** Ends a connection when it has sent so many bytes, in the middle of whatever it sends. */
function breakOffAfter(bytes: number, socket: Socket): void {
  let left = bytes;
  const write = socket.write.bind(socket) as (chunk: Uint8Array | string) => boolean;
  socket.write = (chunk: Uint8Array | string) => {
    if (left <= 0) return true;
    const part = Buffer.from(chunk).subarray(0, left);
    left -= part.length;
    const hasRoom = write(part);
    if (left <= 0) socket.destroySoon();
    return hasRoom;
  };
}

async function follow({ follow }: SseClient, path: string, context: TestContext, compressed?: Hub) {
  const site = await startNewsSite(context);
  site.app.all('/kinds', (_req, res) => {
    const stream = res.sse();
    stream.send('plain');
    stream.send(LINES, { event: 'tick', id: 'ü-7' });
    stream.send({ text: ' ' });
  });
  site.app.all('/large', (_req, res) => {
    if (site.requests.length === 1) breakOffAfter(100_000, res.socket as Socket);
    res.sse({ retry: 50 }).subscribe('large');
  });
  site.app.all('/compressed', (req, res) => {
    if (compressed !== undefined) openStream(req, res, { hub: compressed, retry: 50 }).subscribe('rows');
  });
  /** In the order in which they came. */
  const seen: [type: string, data: string][] = [];
  const leave = await follow(site.origin + path, (type, data) => seen.push([type, data]));
  context.onTestFinished(async () => void (await leave()));
  return { site, seen, leave };
}

describe.concurrent('Clients', () => {
  afterAll(() => Promise.all([closeBrowser(), removeCompiledPrograms()]));

  for (const client of [...nodeClients, ...pageClients, ...programClients]) {
    describeSubject(client, () => {
      const { note, reads = data => data, isLostWhenCut = false, longestLine = Infinity } = client;

      test('named events, several lines, and the server detects its disconnect', async context => {
        if (note !== undefined) await context.annotate(note, 'note');
        const { site, seen, leave } = await follow(client, '/kinds', context);
        const kinds = [
          ['message', 'plain'],
          ['tick', reads(LINES)],
          ['message', '{"text":" "}'],
        ];
        await context.expect.poll(() => seen).toEqual(kinds);
        // Heartbeats are not events.
        await new Promise(resolve => setTimeout(resolve, 300));
        expect(seen).toEqual(kinds);
        await leave();
        await eventually(() => site.hub.streams.size === 0);
      });

      test.skipIf(isLostWhenCut || longestLine < LARGE)(
        'an event that was interrupted by an aborted connection arrives after the reconnect',
        async context => {
          const { site, seen } = await follow(client, '/large', context);
          await eventually(() => site.hub.streams.size === 1);
          const lengths = (expected: number[]) =>
            context.expect.poll(() => seen.map(([, data]) => data.length)).toEqual(expected);
          // The client has an id before.
          await site.hub.publish('large', 'small');
          await lengths([5]);
          await site.hub.publish('large', 'x'.repeat(LARGE));
          await lengths([5, LARGE]);
          expect(site.requests).toHaveLength(2);
        },
      );

      test('a compressed response: each event immediately, and after a reconnect', async context => {
        const hub = createHub({ compression: { minStreams: 1 }, heartbeat: 100 });
        const { site, seen } = await follow(client, '/compressed', context, hub);
        const expected: [type: string, data: string][] = [];
        const publish = async (first: number, last: number) => {
          await eventually(() => hub.streams.size === 1);
          for (let n = first; n <= last; n++) {
            const row = `<tr id="row-${n}"><td class="name">Server ${n}</td></tr>`;
            await hub.publish('rows', row);
            expected.push(['message', row]);
            await context.expect.poll(() => seen).toEqual(expected);
          }
        };
        await publish(1, 8);
        for (const stream of hub.streams) stream.send('to one');
        expected.push(['message', 'to one']);
        await publish(9, 16);
        // Not until there is no stream: the client may have opened its next one by then.
        const closing = [...hub.streams];
        for (const stream of closing) stream.close();
        await Promise.all(closing.map(({ closed }) => closed));
        await publish(17, 20);
        const isAsked = site.requests.every(({ headers }) => headers['accept-encoding']?.includes('gzip'));
        if (!isAsked) await context.annotate('Does not ask for compression by itself', 'note');
      });

      const breaks = isLostWhenCut ? 'two normal ends' : 'a normal end and an aborted connection';
      test(`resume after ${breaks}, without gaps or duplicates`, async context => {
        const { site, seen } = await follow(client, '/news', context);
        const published = await publishThrough(site, [site.end, isLostWhenCut ? site.end : site.cut], n =>
          site.hub.publish('news', n),
        );
        const expected = published.map(n => ['message', n]);
        await context.expect.poll(() => seen).toEqual(expected);
        expect(site.requests).toHaveLength(3);
      });
    });
  }
});
