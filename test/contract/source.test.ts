import { Readable } from 'node:stream';
import type { EventStream } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract, KIB } from './contract.ts';

async function* count(to: number) {
  for (let i = 0; i < to; i++) yield i;
}

contract('stream(source)', ({ connect, serve }) => {
  it.each([
    ['an iterable', () => [0, 1, 2]],
    ['an async iterable', () => count(3)],
    ['a web stream', () => ReadableStream.from([0, 1, 2])],
    ['a Node Readable', () => Readable.from([0, 1, 2])],
    ['a function', () => () => count(3)],
    ['an async function', () => async () => count(3)],
    ['a promise', () => Promise.resolve([0, 1, 2])],
  ])('sends the items of %s, and ends', async (_, make) => {
    let complete: Promise<boolean> | undefined;
    const { client, stream } = await connect({
      use: opened => {
        complete = opened.stream<number>(make());
      },
    });
    expect(await client.ended).toBe(true);
    expect(client.text).toBe('data: 0\n\ndata: 1\n\ndata: 2\n\nevent: tidings\ndata: \nid: end.\n\n');
    expect(await complete).toBe(true);
    expect(await stream.closed).toBe('ended');
  });

  it('applies `event` and `map`, and stays open with `end: false`', async () => {
    const { client, stream } = await connect();
    const complete = await stream.stream(count(4), {
      event: item => (item % 2 ? 'odd' : undefined),
      map: item => (item === 2 ? undefined : { item }),
      end: false,
    });
    expect(complete).toBe(true);
    stream.send('still open');
    await client.until(({ events }) => events.length === 4);
    expect(client.text).toBe(
      ':\n\ndata: {"item":0}\n\nevent: odd\ndata: {"item":1}\n\nevent: odd\ndata: {"item":3}\n\ndata: still open\n\n',
    );
  });

  it('decodes bytes, however they are split', async () => {
    const bytes = Buffer.from('hä✓\n😀');
    const { client } = await connect({
      use: opened => opened.stream(Array.from(bytes, byte => Uint8Array.of(byte))),
    });
    await client.ended;
    expect(client.events.slice(0, -1).map(event => event.data)).toEqual(['h', 'ä', '✓', '\n', '😀']);
  });

  it('is not opened again for a client that has received all of it', async () => {
    let asked = 0;
    const { get } = await serve(context => {
      context.setHeader('Access-Control-Allow-Origin', '*');
      return context.stream(stream =>
        stream.stream(() => {
          asked += 1;
          return [1];
        }),
      );
    });
    const first = await get();
    await first.ended;
    const lastEventId = first.events.at(-1)?.id as string;
    const second = await get('/', { headers: { 'last-event-id': lastEventId } });
    await second.ended;
    expect(second.status).toBe(204);
    expect(second.headers['access-control-allow-origin']).toBe('*');
    expect(second.headers).not.toHaveProperty('content-type');
    expect(second.text).toBe('');
    expect(asked).toBe(1);
    const stranger = await get('/', { headers: { 'last-event-id': 'end' } });
    await stranger.ended;
    expect(asked).toBe(2);
  });

  it('is not opened again, either, when the handler sends an event before', async () => {
    let asked = 0;
    const { get } = await serve(context =>
      context.stream(stream => {
        stream.send('welcome');
        return stream.stream(() => {
          asked += 1;
          return [1];
        });
      }),
    );
    const client = await get('/', { headers: { 'last-event-id': 'end.' } });
    await client.ended;
    expect(client.status).toBe(204);
    expect(asked).toBe(0);
  });

  it('is not opened again, either, when more is sent before than may be queued', async () => {
    const { client, stream } = await connect({
      request: { headers: { 'last-event-id': 'end.' } },
      hub: { maxBufferedBytes: 1000 },
      use: opened => opened.send('x'.repeat(5000)),
    });
    await client.ended;
    expect(client.status).toBe(204);
    expect(await stream.closed).toBe('ended');
  });

  it('writes no marker to a POST, whose client does not reconnect', async () => {
    const { client } = await connect({
      request: { method: 'POST', body: '{}' },
      use: opened => opened.stream([1]),
    });
    await client.ended;
    expect(client.text).toBe('data: 1\n\n');
  });

  it('waits for the client', async () => {
    let made = 0;
    const { client, stream } = await connect();
    client.stall();
    const complete = stream.stream(
      (function* () {
        for (; made < 4_000; made++) yield 'x'.repeat(16 * KIB);
      })(),
    );
    let before: number;
    do {
      before = made;
      await new Promise(resolve => setTimeout(resolve, 60));
    } while (made > before);
    expect(made).toBeLessThan(4_000);
    expect(stream.bufferedBytes).toBeLessThan(256 * KIB);
    client.resume();
    expect(await complete).toBe(true);
    await client.ended;
    expect(client.events).toHaveLength(4_001);
  });

  it.each([
    [
      'an async generator that yields',
      (stopped: () => void) =>
        (async function* () {
          try {
            for (;;) {
              yield 'x';
              await new Promise(resolve => setTimeout(resolve, 5));
            }
          } finally {
            stopped();
          }
        })(),
    ],
    [
      'an async generator that heeds the signal',
      (stopped: () => void) =>
        async function* (signal: AbortSignal) {
          yield 'x';
          await new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              stopped();
              reject(signal.reason);
            });
          });
        },
    ],
    [
      'a web stream that is silent',
      (stopped: () => void) =>
        new ReadableStream({ start: controller => controller.enqueue('x'), cancel: stopped }),
    ],
    [
      'a Node Readable that is silent',
      (stopped: () => void) => {
        const readable = new Readable({
          objectMode: true,
          read() {},
          destroy(error, done) {
            stopped();
            done(error);
          },
        });
        readable.push('x');
        return readable;
      },
    ],
  ])('stops %s when the peer leaves', async (_, make) => {
    const errors: unknown[] = [];
    let complete: Promise<boolean> | undefined;
    let stopped: Promise<void> | undefined;
    const { client } = await connect({
      hub: { onError: error => errors.push(error) },
      use: opened => {
        stopped = new Promise(resolve => {
          complete = opened.stream<unknown>(make(resolve));
        });
      },
    });
    await client.until(({ events }) => events.length > 0);
    client.reset();
    await stopped;
    expect(await complete).toBe(false);
    expect(errors).toEqual([]);
  });

  it('settles even if the source is stuck', async () => {
    let complete: Promise<boolean> | undefined;
    const { client } = await connect({
      use: opened => {
        complete = opened.stream(() => new Promise<never>(() => {}));
      },
    });
    client.reset();
    expect(await complete).toBe(false);
  });

  it.each<[string, (stream: EventStream) => Promise<boolean>]>([
    [
      'throws',
      stream =>
        stream.stream(
          (async function* () {
            yield 1;
            throw new Error('secret');
          })(),
        ),
    ],
    [
      'cannot be made',
      stream =>
        stream.stream(() => {
          throw new Error('secret');
        }),
    ],
    ['has an item that cannot be sent', stream => stream.stream([1, Symbol('secret')])],
    ['has a shape that cannot be sent', stream => stream.stream([1], { event: 'a\nb' })],
    ['is none', stream => stream.stream('secret' as never)],
  ])('that %s goes to onError and closes the stream', async (_, use) => {
    const errors: [unknown, unknown][] = [];
    let complete: Promise<boolean> | undefined;
    const { client, stream } = await connect({
      hub: { onError: (error, context) => errors.push([error, context]) },
      use: opened => {
        complete = use(opened);
      },
    });
    expect(await client.ended).toBe(true);
    expect(await complete).toBe(false);
    expect(await stream.closed).toBe('error');
    expect(errors).toEqual([[expect.any(Error), { stage: 'source', stream }]]);
    expect(client.text).not.toContain('secret');
    expect(client.text).not.toContain('end.');
  });
});
