import { createHub, type EventStream, type HubOptions } from '@tidings/core';
import { expect, it } from 'vitest';
import { type Client, eventually } from '../support/client.ts';
import { contract, KIB, MIB } from './contract.ts';

const EVENT = 'x'.repeat(500);

/** Sends 3,000 events of 500 bytes, more than `maxBufferedBytes`, and returns what each call returned. */
function sendMany(stream: EventStream): boolean[] {
  return Array.from({ length: 3_000 }, (_, i) => stream.send(`${i} ${EVENT}`));
}

async function hasAll(client: Client): Promise<void> {
  await client.until(({ events }) => events.length >= 3_000);
  expect(client.events.map(({ data }) => Number.parseInt(data, 10))).toEqual(
    Array.from({ length: 3_000 }, (_, i) => i),
  );
}

/** Reads a little now and then, until the response is over or everything has come. */
async function readSlowly(client: Client, isDone: (client: Client) => boolean): Promise<void> {
  client.stall();
  const steps = setInterval(() => {
    client.resume();
    setTimeout(() => client.stall(), 5);
  }, 20);
  await client.until(isDone).finally(() => clearInterval(steps));
  client.resume();
}

contract('a stream that is sent more than maxBufferedBytes', ({ serve, connect }) => {
  it('in the handler, buffers all events for a client that reads', async () => {
    let sent: boolean[] = [];
    const { client, stream } = await connect({
      use: opened => {
        sent = sendMany(opened);
      },
    });
    await hasAll(client);
    expect(stream.signal.aborted).toBe(false);
    // What is above the limit says so.
    expect([sent.at(0), sent.at(-1)]).toEqual([true, false]);
    await stream.drained();
    expect(stream.send('more')).toBe(true);
    client.reset();
  });

  it('in the handler, buffers all events, even if it is subscribed', async () => {
    const { client, hub, stream } = await connect({
      use: opened => {
        opened.subscribe('a');
        sendMany(opened);
      },
    });
    await client.until(({ events }) => events.filter(({ event }) => event !== 'tidings').length >= 3_000);
    await hub.publish('a', 'live');
    await client.until(({ events }) => events.at(-1)?.data === 'live');
    expect(stream.signal.aborted).toBe(false);
    client.reset();
  });

  it('in the handler, buffers all events for a client that resumes', async () => {
    const { hub, get } = await serve(context =>
      context.stream(stream => {
        sendMany(stream);
        stream.subscribe('a');
      }),
    );
    const id = await hub.publish('a', 'seen');
    await hub.publish('a', 'missed');
    const client = await get('/', { headers: { 'last-event-id': id } });
    await client.until(({ events }) => events.some(({ data }) => data === 'missed'));
    expect(client.events).toHaveLength(3_001);
    client.reset();
  });

  it('later, buffers all events for a client that reads', async () => {
    const { client, stream } = await connect();
    // In one tick, more than the kernel takes.
    const sent = Array.from({ length: 128 }, (_, i) => stream.send(`${i} ${'x'.repeat(64 * KIB)}`));
    await client.until(({ events }) => events.length >= 128);
    expect(client.events.map(({ data }) => Number.parseInt(data, 10))).toEqual(sent.map((_, i) => i));
    expect([stream.signal.aborted, sent.at(-1)]).toEqual([false, false]);
    client.reset();
  });

  it('buffers all events for a client that reads slowly', async () => {
    const { client, stream } = await connect();
    for (let i = 0; i < 8; i++) stream.send(`${i}${'x'.repeat(MIB)}`);
    await readSlowly(client, ({ events }) => events.length === 8);
    expect(stream.signal.aborted).toBe(false);
    client.reset();
  });

  it('closes as slow when its client does not read', async () => {
    const { client, stream, hub } = await connect({ hub: { stallTimeout: false } });
    client.stall();
    for (let i = 0; i < 12; i++) stream.send('x'.repeat(MIB));
    // Not at once: the client is given the time to take something.
    expect(stream.signal.aborted).toBe(false);
    expect(await stream.closed).toBe('slow');
    await eventually(() => hub.streams.size === 0);
    client.resume();
  });
});

contract('a stream that is sent more than bufferedBytesLimit', ({ connect }) => {
  const overflow = async (limit: number | undefined, bytes: number) => {
    const errors: [error: unknown, stream: EventStream | undefined][] = [];
    const onError = (error: unknown, context: { stream?: EventStream }) =>
      void errors.push([error, context.stream]);
    const options: HubOptions = { onError };
    if (limit !== undefined) options.bufferedBytesLimit = limit;
    const { client, stream, hub } = await connect({
      hub: options,
    });
    client.stall();
    let sent = 0;
    while (sent < bytes && !stream.signal.aborted) {
      stream.send('x'.repeat(256 * KIB));
      sent += 256 * KIB;
    }
    return { errors, stream, hub, sent, client };
  };

  it('closes as slow immediately, and calls onError', async () => {
    const { stream, errors, sent, client } = await overflow(4 * MIB, 32 * MIB);
    // The kernel may have taken some of it.
    expect(sent).toBeGreaterThanOrEqual(4 * MIB);
    expect(stream.signal.aborted).toBe(true);
    expect(await stream.closed).toBe('slow');
    expect(errors).toHaveLength(1);
    expect(errors[0]?.[0]).toBeInstanceOf(Error);
    expect(errors[0]?.[1]).toBe(stream);
    client.resume();
  });

  it('has 16 MiB by default', async () => {
    const { stream, errors, sent, client } = await overflow(undefined, 40 * MIB);
    expect(sent).toBeGreaterThanOrEqual(16 * MIB);
    expect(await stream.closed).toBe('slow');
    expect(errors).toHaveLength(1);
    client.resume();
  });

  it('closes as slow in the handler, before its headers are sent', async () => {
    const isClosed: boolean[] = [];
    const connecting = connect({
      hub: { onError: () => {} },
      use: opened => {
        for (const count of [14, 6]) {
          for (let i = 0; i < count; i++) opened.send('x'.repeat(MIB));
          isClosed.push(opened.signal.aborted);
        }
      },
    });
    // There may be a response that ends at once, or none.
    const client = await connecting.then(connected => connected.client).catch(() => undefined);
    await client?.ended;
    expect(isClosed).toEqual([false, true]);
  });

  it.each([-1, Number.NaN, 'many', null])('is refused when the limit is %j', async limit => {
    // A limit that today's types do not know.
    const options: object = { bufferedBytesLimit: limit };
    expect(() => createHub(options)).toThrow(/bufferedBytesLimit/);
  });
});
