import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { expect, it } from 'vitest';
import { request } from '../support/client.ts';
import { listen } from '../support/server.ts';

it('publishes, resumes, resets', async () => {
  const hub = createHub();
  const server = await listen((req, res) => {
    openStream(req, res, { hub }).subscribe(['a', 'b']);
  });
  const client = await request(server.origin, '/');
  const id1 = await hub.publish('a', 1);
  for (let i = 2; i <= 500; i++) hub.publish(i % 2 ? 'a' : 'b', i);
  await client.until(({ events }) => events.filter(e => e.event !== 'tidings').length === 500);
  expect(client.events.filter(e => e.event !== 'tidings').map(e => Number(e.data))).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
  const mid = client.events.find(e => e.data === '400')?.id as string;
  const again = await request(server.origin, '/', { headers: { 'last-event-id': mid } });
  await again.until(({ events }) => events.length === 100);
  expect(again.events[0]?.data).toBe('401');
  const lost = await request(server.origin, '/', { headers: { 'last-event-id': 'foreign-1' } });
  await lost.until(({ events }) => events.length >= 400);
  expect(lost.events[0]).toMatchObject({ event: 'reset', data: '{"reason":"unknown","channels":["a","b"]}' });
  await hub.channel('a').end(); await hub.channel('b').end();
  await client.ended;
  const over = await request(server.origin, '/', { headers: { 'last-event-id': client.events.at(-1)?.id as string } });
  expect(over.status).toBe(204);
  const fresh = await request(server.origin, '/');
  expect(fresh.status).toBe(204);
  server.kill();
});
