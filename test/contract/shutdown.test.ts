import { createHub } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { describe, expect, it } from 'vitest';
import { start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';
import { dataOf } from '../support/received.ts';

const hasBegun = (client: Client) => client.until(({ events }) => events.length > 0);

describe('gracefulShutdown()', () => {
  it('ends sources, then streams, then other requests, then the process', async () => {
    const server = await start(new URL('shutdown-server.ts', import.meta.url));
    const job = await request(server.origin, '/job');
    const news = await request(server.origin, '/news');
    const other = await request(server.origin, '/waiting');
    await Promise.all([job, news].map(hasBegun));
    server.kill('SIGTERM');
    server.kill('SIGUSR2');
    expect(await Promise.all([job, news, other].map(({ ended }) => ended))).toEqual([true, true, true]);
    expect(job.events.find(({ event }) => event === 'done')?.data).toBe('stopped');
    // The channel has ended: the page is told not to come back.
    expect(job.events.at(-1)).toMatchObject({ event: 'tidings', id: expect.stringMatching(/\.$/) });
    expect(dataOf(news)).toEqual(['listening: true']);
    expect(news.text).toContain('retry: 7\n');
    expect(other.text).toBe('waiting answered');
    expect(await server.ended).toBe(0);
  });

  it.each([
    ['signals', { signals: 'SIGTERM' }],
    ['within', { within: -1 }],
    ['before', { before: true }],
  ])('refuses invalid options: %s', (name, options) => {
    const server = { close: () => {} };
    // @ts-expect-error none of them is typed
    expect(() => gracefulShutdown(server, createHub(), options)).toThrow(name);
  });
});
