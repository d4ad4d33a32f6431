import http from 'node:http';
import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { eventually } from '../support/client.ts';
import { contract, fill, MIB } from './contract.ts';

contract('a stream ends', ({ connect, serve, mount }) => {
  it('when it is closed, after the sent events', async () => {
    const { hub, client, stream } = await connect({ hub: { maxBufferedBytes: 64 * MIB } });
    client.stall();
    await fill(stream);
    stream.send('last');
    stream.close();
    expect(stream.signal.aborted).toBe(true);
    expect(stream.send('too late')).toBe(false);
    client.resume();
    expect(await client.ended).toBe(true);
    expect(client.events.at(-1)?.data).toBe('last');
    expect(await stream.closed).toBe('closed');
    expect(hub.streams.size).toBe(0);
    stream.close();
  });

  it('when it is closed before anything was sent', async () => {
    const { client, stream } = await connect({ use: opened => opened.close() });
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(200);
    expect(client.text).toBe(':\n\n');
    expect(await stream.closed).toBe('closed');
  });

  it('for a client that does not read, after the stall timeout', async () => {
    const { hub, client, stream } = await connect({ hub: { stallTimeout: 700, maxBufferedBytes: 64 * MIB } });
    client.stall();
    await fill(stream);
    stream.send('x'.repeat(8 * MIB));
    stream.close();
    expect(hub.streams.has(stream)).toBe(true);
    expect(await stream.closed).toBe('closed');
    expect(hub.streams.size).toBe(0);
  });

  it('and leaves the connection usable for the next request', async () => {
    if (mount.http2) return;
    const { get } = await serve(context =>
      context.stream(stream => {
        stream.send('x');
        stream.close();
      }),
    );
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 3; i++) {
      const client = await get('/', { agent });
      expect(await client.ended).toBe(true);
      expect(client.text).toBe('data: x\n\n');
    }
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
    agent.destroy();
  });

  it('when its credential expires', async () => {
    const { client, stream } = await connect({ stream: { expiresAt: new Date(Date.now() + 80) } });
    expect(await client.ended).toBe(true);
    expect(await stream.closed).toBe('expired');
  });

  it('at its maximum age, or a little before', async () => {
    const { client, stream } = await connect({ hub: { maxAge: 100 } });
    expect(await client.ended).toBe(true);
    expect(await stream.closed).toBe('maxAge');
  });

  it('when its client is disconnected', async () => {
    const { hub, client, stream } = await connect({ stream: { client: 'ann' } });
    await hub.clients.disconnect('bob');
    expect(stream.signal.aborted).toBe(false);
    await hub.clients.disconnect('ann');
    expect(await client.ended).toBe(true);
    expect(hub.clients.has('ann')).toBe(false);
  });

  it('when its client exceeds its limit, the oldest first', async () => {
    const streams: EventStream[] = [];
    const { hub, get } = await serve(
      context => context.stream(stream => streams.push(stream), { client: 'ann' }),
      { limits: { perClient: 2 } },
    );
    const clients = [await get(), await get(), await get()];
    expect(await clients[0]?.ended).toBe(true);
    expect(await streams[0]?.closed).toBe('replaced');
    expect(clients[0]?.retries).toHaveLength(1);
    expect(clients[0]?.retries[0]).toBeGreaterThanOrEqual(15_000);
    expect([...hub.clients.get('ann')]).toEqual(streams.slice(1));
  });

  it('before it begins, over the limit of streams', async () => {
    let refused: EventStream | undefined;
    const { hub, get } = await serve(
      context =>
        context.stream(stream => {
          refused = stream;
          stream.send('must not go out');
        }),
      { limits: { streams: 0 } },
    );
    // A client that would keep the connection.
    const agent = new http.Agent({ keepAlive: true });
    const client = await get('/', { agent });
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(200);
    expect(client.text).toMatch(/^retry: \d+\n\n$/);
    if (!mount.http2) expect(client.headers.connection).toBe('close');
    expect(client.retries[0]).toBeGreaterThanOrEqual(15_000);
    expect(hub.streams.size).toBe(0);
    if (refused !== undefined) {
      expect(refused.signal.aborted).toBe(true);
      expect(await refused.closed).toBe('refused');
      expect(await refused.stream(() => [1])).toBe(false);
    }
  });

  it('when the hub is closed, with its connections', async () => {
    const { hub, server, get, client, stream } = await connect();
    const others = await Promise.all([get(), get(), get()]);
    const agent = new http.Agent({ keepAlive: true });
    const lasting = await get('/', { agent });
    const stopped = server.stop();
    const closed = hub.close({ within: 5_000, retry: [100, 200] });
    expect(hub.close()).toBe(closed);
    await closed;
    for (const each of [client, lasting, ...others]) {
      expect(await each.ended).toBe(true);
      expect(each.retries[0]).toBeGreaterThanOrEqual(100);
      expect(each.retries[0]).toBeLessThanOrEqual(200);
    }
    expect(await stream.closed).toBe('drained');
    expect(hub.streams.size).toBe(0);
    await stopped;
  });

  it('when the hub is closed, with a reconnection time in a marker once the client has an id', async () => {
    const { hub, client, get } = await connect({ use: stream => stream.send('x', { id: '1' }) });
    const without = await get('/', { headers: { accept: 'text/event-stream' } });
    await client.until(({ events }) => events.length === 1);
    for (const stream of hub.streams) stream.send('y');
    await hub.close({ retry: [7, 7] });
    expect(await Promise.all([client.ended, without.ended])).toEqual([true, true]);
    expect(client.text).toBe('data: x\nid: 1\n\ndata: y\n\nevent: tidings\nretry: 7\ndata: \n\n');
  });

  it('when the hub is closed, with its connection, even if it was closing already', async () => {
    const agent = new http.Agent({ keepAlive: true });
    const { hub, server, client, stream } = await connect({ request: { agent } });
    const stopped = server.stop();
    stream.close();
    await hub.close();
    await client.ended;
    await stopped;
  });

  it('when the hub is closed and the client does not read, at the deadline', async () => {
    const { hub, client, stream } = await connect();
    client.stall();
    await fill(stream);
    await hub.close({ within: 100 });
    expect(await stream.closed).toBe('drained');
    expect(hub.streams.size).toBe(0);
  });

  it('before it begins, when the hub is closing', async () => {
    const { hub, get } = await serve(context => context.stream(stream => stream.send('must not go out')));
    await hub.close({ retry: [7, 7] });
    const client = await get();
    expect(await client.ended).toBe(true);
    expect(client.text).toBe('retry: 7\n\n');
  });
});

contract('a stream that fails', ({ connect, serve }) => {
  it.each([
    [
      'at once',
      (): never => {
        throw new Error('secret');
      },
    ],
    [
      'later in the turn',
      async () => {
        await null;
        throw new Error('secret');
      },
    ],
  ])('in its handler, %s, leaves the response to the framework', async (_, use) => {
    let stream: EventStream | undefined;
    const { hub, get } = await serve(context =>
      context.stream(opened => {
        stream = opened;
        return use();
      }),
    );
    const client = await get();
    await client.ended;
    expect(client.status).toBe(500);
    expect(String(client.headers['content-type'])).not.toContain('text/event-stream');
    expect(await stream?.closed).toBe('refused');
    expect(hub.streams.size).toBe(0);
  });

  it('in its handler after the headers, ends', async () => {
    const errors: unknown[] = [];
    let fail = () => {};
    const { hub, client, stream } = await connect({
      hub: { onError: error => errors.push(error) },
      use: async opened => {
        opened.send('x');
        await new Promise((_resolve, reject) => {
          fail = () => reject(new Error('secret'));
        });
      },
    });
    fail();
    await client.ended;
    expect(client.status).toBe(200);
    expect(client.text).not.toContain('secret');
    await stream.closed;
    expect(hub.streams.size).toBe(0);
  });

  it('in its handler while the client does not read, stays until the stall timeout', async () => {
    const { hub, client, stream } = await connect({
      hub: { stallTimeout: 1_500, maxBufferedBytes: 64 * MIB, onError: () => {} },
      use: async opened => {
        opened.send('x');
        await new Promise(resolve => opened.signal.addEventListener('abort', resolve, { once: true }));
        throw new Error('secret');
      },
    });
    client.stall();
    await fill(stream);
    stream.send('x'.repeat(8 * MIB));
    stream.close();
    expect(hub.streams.size).toBe(1);
    expect(await stream.closed).toBe('closed');
    expect(hub.streams.size).toBe(0);
  });

  it('because its handler stops with the stream is not reported', async () => {
    const errors: unknown[] = [];
    const { client, stream } = await connect({
      hub: { onError: error => errors.push(error) },
      use: async ({ signal }) => {
        await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
        signal.throwIfAborted();
      },
    });
    client.reset();
    expect(await stream.closed).toBe('disconnected');
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(errors).toEqual([]);
  });

  it('because other code sends the response in the same tick, does not change that response', async () => {
    let stream: EventStream | undefined;
    const { hub, get } = await serve(context => {
      context.stream(opened => {
        stream = opened;
      });
      return context.answer(203, 'other');
    });
    const client = await get();
    expect(await client.ended).toBe(true);
    expect(client.status).toBe(203);
    expect(client.text).toBe('other');
    await stream?.closed;
    expect(hub.streams.size).toBe(0);
  });

  it('because it is opened twice, throws, and continues', async () => {
    let error: unknown;
    const { get } = await serve(async context => {
      let stream: EventStream | undefined;
      const answer = context.stream(opened => {
        stream = opened;
      });
      try {
        await context.stream(() => {});
      } catch (caught) {
        error = caught;
      }
      stream?.send('first');
      return answer;
    });
    const client = await get();
    await client.until(({ events }) => events.length === 1);
    expect(error).toMatchObject({ name: 'TidingsError', code: 'already-open' });
  });

  it.each([
    ['client', { client: 5 }, /^client must be a string; got 5/],
    ['retry', { retry: -1 }, /^retry must be an integer of ms, 0 or more; got -1/],
    ['expiresAt', { expiresAt: new Date('never') }, /^expiresAt must be a Date, or ms since 1970/],
    ['headers', { headers: { 'X-Bad': 'a\nb' } }, /^headers: the name or the value of "X-Bad" is not valid/],
    [
      'headers',
      { headers: { 'X-Bad': 'a\u0001b' } },
      /^headers: the name or the value of "X-Bad" is not valid/,
    ],
  ])('because of an invalid `%s`, throws, and can be opened again', async (_, options, message) => {
    const errors: unknown[] = [];
    const { get } = await serve(async context => {
      try {
        await context.stream(() => {}, options as object);
      } catch (caught) {
        errors.push(caught);
      }
      return context.stream(stream => stream.send('now'));
    });
    const client = await get();
    await client.until(({ events }) => events.length === 1);
    expect(errors).toEqual([
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    ]);
  });

  it('never because the client has disconnected: nothing throws then', async () => {
    const { client, stream } = await connect();
    client.reset();
    await stream.closed;
    expect(stream.send('x', { event: 'e' })).toBe(false);
    expect(stream.comment('x')).toBe(false);
    expect(await stream.stream([1, 2])).toBe(false);
    await stream.drained();
    stream.close();
    await eventually(() => stream.bufferedBytes === 0);
  });
});
