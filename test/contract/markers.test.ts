import type { EventStream, HubOptions } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract } from './contract.ts';

contract('a stream without markers', ({ connect, serve }) => {
  const stream = { markers: false, retry: 1_000 };

  it('sends only the events of the application, and comments', async () => {
    const { hub, client } = await connect({
      stream,
      use: opened => {
        opened.subscribe('news');
        opened.send('hello');
      },
    });
    await client.until(({ events }) => events.length === 1);
    await hub.publish('news', 1);
    await hub.publish('news', 2);
    await client.until(({ events }) => events.length === 3);
    await hub.close({ retry: [1, 1] });
    expect(await client.ended).toBe(true);
    expect(client.text).toMatch(/^:\n\ndata: hello\n\ndata: 1\nid: \S+-1\n\ndata: 2\nid: \S+-2\n\n$/);
  });

  it('sends the older events of a channel, and its snapshot, and no marker around them', async () => {
    const options: HubOptions = { channels: name => (name === 'state' ? { snapshot: () => 'now' } : {}) };
    const { hub, get } = await serve(
      context =>
        context.stream(opened => {
          opened.subscribe('state');
          opened.subscribe('old', { from: 'start' });
        }, stream),
      options,
    );
    await hub.publish('old', 1);
    await hub.publish('other', 1);
    const client = await get();
    await client.until(({ events }) => events.length === 2);
    expect(client.text).toBe(':\n\nevent: snapshot\ndata: now\n\ndata: 1\n\n');
  });

  it('has no marker at the end of a source, or of its channels', async () => {
    const first = await connect({ stream, use: opened => opened.stream(['a']) });
    expect(await first.client.ended).toBe(true);
    expect(first.client.text).toBe('data: a\n\n');
    const second = await connect({ stream, use: opened => void opened.subscribe('news') });
    await second.hub.channel('news').end();
    expect(await second.client.ended).toBe(true);
    expect(second.client.text).toBe(':\n\n');
  });

  it('resumes', async () => {
    const { hub, get } = await serve(context => context.stream(opened => opened.subscribe('news'), stream));
    const id = await hub.publish('news', 1);
    await hub.publish('news', 2);
    const client = await get('/', { headers: { 'last-event-id': id } });
    await client.until(({ events }) => events.length === 1);
    expect(client.text).toMatch(/^:\n\ndata: 2\nid: \S+-2\n\n$/);
  });

  it('is 410 for a client that has missed events', async () => {
    const closed: unknown[] = [];
    const { hub, get } = await serve(context => context.stream(opened => opened.subscribe('news'), stream), {
      observer: { closed: (_, reason) => closed.push(reason) },
    });
    const client = await get('/', { headers: { 'last-event-id': 'another-1' } });
    expect(await client.ended).toBe(true);
    expect([client.status, client.text]).toEqual([410, '']);
    expect(closed).toEqual(['lost']);
    expect(hub.stats()).toMatchObject({ resets: 1 });
  });

  it('is aborted when events are lost later', async () => {
    let opened: EventStream | undefined;
    const { hub, client } = await connect({
      stream,
      hub: { history: { events: 2 } },
      use: stream => {
        opened = stream.subscribe('news');
      },
    });
    const id = await hub.publish('news', 1);
    await client.until(({ events }) => events.length === 1);
    for (let n = 2; n < 6; n++) await hub.publish('news', n);
    opened?.subscribe('other', { from: { after: 'another-1' } });
    await hub.publish('news', 6);
    expect(await client.ended).toBe(false);
    expect(client.text).toContain(`data: 1\nid: ${id}\n\n`);
    expect(client.text).not.toContain('reset');
    expect(await opened?.closed).toBe('lost');
  });

  it('is refused with 503', async () => {
    const { get } = await serve(context => context.stream(() => {}, stream), { limits: { streams: 0 } });
    const client = await get();
    expect(await client.ended).toBe(true);
    expect([client.status, client.text]).toEqual([503, '']);
  });
});
