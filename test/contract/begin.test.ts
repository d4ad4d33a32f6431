import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract } from './contract.ts';

contract('a stream begins', ({ connect, serve }) => {
  it('with the headers and a comment immediately, even if nothing is sent', async () => {
    const { client } = await connect();
    await client.until(({ comments }) => comments.length === 1);
    expect(client.text).toBe(':\n\n');
    expect(client.status).toBe(200);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'tidings-heartbeat': '15000',
    });
    expect(client.headers).not.toHaveProperty('content-length');
  });

  it('without the heartbeat header, if there are no heartbeats', async () => {
    const { client } = await connect({ hub: { heartbeat: false } });
    expect(client.headers).not.toHaveProperty('tidings-heartbeat');
  });

  it('with `retry` instead of the comment, when it is set', async () => {
    const { client } = await connect({ stream: { retry: 1234 }, use: stream => stream.send('x') });
    await client.until(({ events }) => events.length === 1);
    expect(client.text).toBe('retry: 1234\n\ndata: x\n\n');
  });

  it('with `retry` in a marker, when it subscribes', async () => {
    const use = (stream: EventStream) => void stream.subscribe('news');
    const { hub, client, get } = await connect({ stream: { retry: 1234 }, use });
    await client.until(({ events }) => events.length === 2);
    const first = 'event: tidings\nretry: 1234\ndata: \n\n';
    const position = await hub.position();
    expect(client.text).toBe(`${first}event: tidings\ndata: \nid: ${position}\n\n`);
    const id = await hub.publish('news', 1);
    const next = await hub.publish('news', 2);
    const resumed = await get('/', { headers: { 'last-event-id': id } });
    await resumed.until(({ events }) => events.length === 2);
    expect(resumed.text).toBe(`${first}data: 2\nid: ${next}\n\n`);
  });

  it('with the headers that are set on the response, except those that break a stream', async () => {
    const { get } = await serve(context => {
      context.setHeader('Access-Control-Allow-Origin', 'https://a.example');
      context.appendHeader('Set-Cookie', 'a=1');
      context.appendHeader('Set-Cookie', 'b=2; Path=/');
      context.setHeader('Content-Length', '5');
      context.setHeader('Content-Encoding', 'gzip');
      context.setHeader('ETag', '"x"');
      return context.stream(stream => stream.send('x'));
    });
    const client = await get();
    await client.until(({ events }) => events.length === 1);
    expect(client.headers['access-control-allow-origin']).toBe('https://a.example');
    expect(client.headers['set-cookie']).toEqual(['a=1', 'b=2; Path=/']);
    for (const name of ['content-length', 'content-encoding', 'etag'])
      expect(client.headers).not.toHaveProperty(name);
  });

  it('with the headers of the call, which win except for the content type', async () => {
    const headers = {
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'yes',
      'X-Own': 'own',
      'Content-Type': 'text/plain',
      'Content-Length': '3',
      Connection: 'close',
    };
    const { client } = await connect({ stream: { headers } });
    await client.until(({ comments }) => comments.length === 1);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'yes',
      'x-own': 'own',
    });
    expect(client.headers).not.toHaveProperty('content-length');
  });

  it('and ends with the headers, for HEAD', async () => {
    const { hub, client } = await connect({ request: { method: 'HEAD' }, use: stream => stream.send('x') });
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(200);
    expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(client.text).toBe('');
    expect(hub.streams.size).toBe(0);
  });

  it.each([
    ['the header', '/?lastEventId=query', { 'last-event-id': 'header' }, 'header'],
    ['the query, if there is no header', '/?a=b&lastEventId=h%C3%A4&c', {}, 'hä'],
    ['the header as UTF-8', '/', { 'last-event-id': Buffer.from('hä✓').toString('latin1') }, 'hä✓'],
    ['neither', '/?a=lastEventId', {}, undefined],
  ])('with the last event id from %s', async (_, path, headers, expected) => {
    const { get } = await serve(context =>
      context.stream(stream => stream.send({ id: stream.lastEventId ?? null })),
    );
    const client = await get(path, { headers: headers as Record<string, string> });
    await client.until(({ events }) => events.length === 1);
    expect(JSON.parse(client.events[0]?.data ?? '')).toEqual({ id: expected ?? null });
  });
});
