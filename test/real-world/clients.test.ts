import { afterAll, describe, expect, type TestContext, test } from 'vitest';
import { eventually } from '../support/client.ts';
import { publishThrough, startNewsSite } from './news-site.ts';
import { nodeClients } from './node-clients.ts';
import { closeBrowser, pageClients } from './page-clients.ts';
import { programClients, removeCompiledPrograms } from './program-clients.ts';
import type { SseClient } from './sse-client.ts';
import { describeSubject } from './subject.ts';

const LINES = '\none:\n  two \n\ndata: ü 😀\n';

async function follow({ follow }: SseClient, path: string, context: TestContext) {
  const site = await startNewsSite(context);
  site.app.all('/kinds', (_req, res) => {
    const stream = res.sse();
    stream.send('plain');
    stream.send(LINES, { event: 'tick', id: 'ü-7' });
    stream.send({ text: ' ' });
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
      const { note, reads = data => data, isLostWhenCut = false } = client;

      test('named events, several lines, and the server sees it leave', async context => {
        if (note !== undefined) await context.annotate(note, 'note');
        const { site, seen, leave } = await follow(client, '/kinds', context);
        const kinds = [
          ['message', 'plain'],
          ['tick', reads(LINES)],
          ['message', '{"text":" "}'],
        ];
        await context.expect.poll(() => seen, { timeout: 45_000 }).toEqual(kinds);
        // Heartbeats are not events.
        await new Promise(resolve => setTimeout(resolve, 300));
        expect(seen).toEqual(kinds);
        await leave();
        await eventually(() => site.hub.streams.size === 0);
      });

      const breaks = isLostWhenCut ? 'two clean ends' : 'a clean end and a killed connection';
      test(`resume after ${breaks}: nothing lost, nothing twice`, async context => {
        const { site, seen } = await follow(client, '/news', context);
        const published = await publishThrough(site, [site.end, isLostWhenCut ? site.end : site.cut], n =>
          site.hub.publish('news', n),
        );
        const expected = published.map(n => ['message', n]);
        await context.expect.poll(() => seen, { timeout: 45_000 }).toEqual(expected);
        expect(site.requests).toHaveLength(3);
      });
    });
  }
});
