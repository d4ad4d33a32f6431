import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { type Client, eventually } from '../support/client.ts';
import { contract, fill, KIB, MIB } from './contract.ts';
import type { Context } from './mount.ts';

contract('a stream notices', ({ connect, serve }) => {
  const departures: [string, (client: Client) => void][] = [
    ['with a FIN', client => client.leave()],
    ['with a RST', client => client.reset()],
  ];

  it.each(departures)('that the client disconnected %s', async (_, depart) => {
    const { hub, client, stream } = await connect({ stream: { client: 'ann' } });
    expect(hub.clients.get('ann').has(stream)).toBe(true);
    depart(client);
    expect(await stream.closed).toBe('disconnected');
    expect(hub.streams.size).toBe(0);
    expect(hub.clients.size).toBe(0);
    expect(stream.signal.aborted).toBe(true);
    expect(stream.signal.reason).toMatchObject({ name: 'AbortError' });
    expect(stream.send('x')).toBe(false);
    expect(stream.comment()).toBe(false);
    await stream.drained();
    stream.close();
  });

  it.each(departures)('that a client disconnected %s while bytes were queued', async (_, depart) => {
    const { hub, client, stream } = await connect();
    client.stall();
    await fill(stream);
    const drained = stream.drained();
    client.resume();
    depart(client);
    await drained;
    expect(await stream.closed).toBe('disconnected');
    expect(hub.streams.size).toBe(0);
  });

  it('that the client disconnected before there was a stream', async () => {
    let arrived = () => {};
    const arrival = new Promise<void>(resolve => {
      arrived = resolve;
    });
    let open = () => {};
    const gate = new Promise<void>(resolve => {
      open = resolve;
    });
    let stream: EventStream | undefined;
    let handled: Promise<void> | undefined;
    const { hub, get } = await serve((context: Context) => {
      arrived();
      const handling = gate.then(() =>
        context.stream(opened => {
          stream = opened;
        }),
      );
      handled = handling.then(
        () => {},
        () => {},
      );
      return handling;
    });
    const answer = get('/', { leaveAfter: arrival });
    await answer.catch(() => {});
    // The server has seen the departure when it takes another connection's request.
    await new Promise(resolve => setTimeout(resolve, 50));
    open();
    await handled;
    await eventually(() => hub.streams.size === 0);
    if (stream !== undefined) expect(await stream.closed).toBe('disconnected');
  });

  it.each([
    ['a body that it has read', 'some body', true],
    ['a body that it does not read', 'some body', false],
    ['a body that it does not read and that fills the connection', 'x'.repeat(2 * MIB), false],
    ['a body that never ends', null, false],
  ])('a POST with %s: only its disconnect', async (_, body, reads) => {
    let stream: EventStream | undefined;
    const { hub, get } = await serve(async context => {
      if (reads) await context.readBody();
      return context.stream(opened => {
        stream = opened;
      });
    });
    const client = await get('/', { method: 'POST', body });
    await client.until(({ comments }) => comments.length === 1);
    await new Promise(resolve => setTimeout(resolve, 30));
    stream?.send('still here');
    await client.until(({ events }) => events.length === 1);
    client.leave();
    expect(await stream?.closed).toBe('disconnected');
    expect(hub.streams.size).toBe(0);
  });

  it('that a client no longer reads', async () => {
    const { hub, client, stream } = await connect({ hub: { stallTimeout: 150 } });
    client.stall();
    let sent = 0;
    // From Node 22 on, what lies between a Response and the kernel takes a little more even then.
    while (!stream.signal.aborted) sent += await fill(stream);
    expect(await stream.closed).toBe('stalled');
    expect(hub.streams.size).toBe(0);
    client.resume();
    await client.ended;
    expect(client.events.length).toBeLessThan(sent);
  });

  it('that a client no longer reads, even if a little is written now and then', async () => {
    const { client, stream } = await connect({ hub: { stallTimeout: 300, heartbeat: 40 } });
    client.stall();
    // No more than what makes the first bytes wait: the stream still has room.
    while (stream.bufferedBytes === 0) {
      stream.send('x'.repeat(1000));
      await new Promise(resolve => setImmediate(resolve));
    }
    const trickle = setInterval(() => stream.send('x'), 50);
    expect(await stream.closed).toBe('stalled');
    clearInterval(trickle);
  });

  it('that a client is slow and not stalled', async () => {
    const { client, stream } = await connect({ hub: { stallTimeout: 1_000, maxBufferedBytes: 64 * MIB } });
    client.stall();
    await fill(stream);
    for (let i = 0; i < 100; i++) stream.send('x'.repeat(64 * KIB));
    stream.send('last');
    const done = client.until(({ events }) => events.at(-1)?.data === 'last');
    const steps = setInterval(() => {
      client.resume();
      setImmediate(() => client.stall());
    }, 10);
    await done;
    clearInterval(steps);
    client.resume();
    expect(stream.signal.aborted).toBe(false);
  });
});
