import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createHub } from '../src/hub/create-hub.ts';
import type { ErrorContext } from '../src/stream/event-stream.ts';
import type { Source } from '../src/stream/sending/source-options.ts';
import { MemoryTransport } from './memory-transport.ts';

function open() {
  const errors: { error: unknown; context: ErrorContext }[] = [];
  const hub = createHub({ onError: (error, context) => errors.push({ error, context }) });
  const transport = new MemoryTransport();
  // Whoever gets the end of a POST gets no marker after it.
  const stream = hub.open(transport, { method: 'POST', url: '/' });
  return { stream, transport, errors };
}

/** What is on the wire when a source has been sent, without the comment of a stream that is silent at first. */
async function wire(...[source, options]: Parameters<ReturnType<typeof open>['stream']['stream']>) {
  const { stream, transport, errors } = open();
  expect(await stream.stream(source, options)).toBe(true);
  expect(errors).toEqual([]);
  return transport.text.replace(/^:\n\n/, '');
}

/** A source that has one item, and then nothing for ever; `stopped` resolves when it is told to stop. */
function pending(kind: 'web stream' | 'Readable' | 'iterator') {
  let stop!: (how: string) => void;
  const stopped = new Promise<string>(resolve => {
    stop = resolve;
  });
  const kinds: Record<typeof kind, () => Source<unknown>> = {
    'web stream': () =>
      new ReadableStream({ start: controller => controller.enqueue('a'), cancel: () => stop('cancel') }),
    Readable: () => {
      const readable = new Readable({ objectMode: true, read() {} });
      readable.push('a');
      readable.on('close', () => stop('destroy'));
      return readable;
    },
    iterator: () => {
      const items = [{ done: false, value: 'a' }];
      return {
        [Symbol.asyncIterator]: () => ({
          next: async () => items.pop() ?? new Promise<never>(() => {}),
          async return() {
            stop('return');
            return { done: true, value: undefined };
          },
        }),
      };
    },
  };
  return { source: kinds[kind](), stopped };
}

describe('stream() accepts', () => {
  const kinds: Record<string, () => Source<unknown> | Promise<Source<unknown>>> = {
    'an array': () => [1, 2],
    'a Set': () => new Set([1, 2]),
    'promises in an array': () => [Promise.resolve(1), Promise.resolve(2)] as unknown[],
    'a generator': function* () {
      yield 1;
      yield 2;
    },
    'an async generator': async function* () {
      yield 1;
      await turn();
      yield 2;
    },
    'a web stream': () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(1);
          controller.enqueue(2);
          controller.close();
        },
      }),
    'a Node Readable': () => Readable.from([1, 2]),
    'the promise of one': async () => [1, 2],
  };
  const sources = Object.entries(kinds);

  it.each(sources)('%s, returned by a function', async (_, make) => {
    expect(await wire(make)).toBe('data: 1\n\ndata: 2\n\n');
  });

  it.each(sources)('%s', async (_, make) => {
    expect(await wire(make())).toBe('data: 1\n\ndata: 2\n\n');
  });

  it.each([undefined, null, 7, 'text', {}, Buffer.from('bytes')])('no other value: %j', async source => {
    const { stream, errors } = open();
    expect(await stream.stream(source as never)).toBe(false);
    expect(errors[0]?.error).toBeInstanceOf(TypeError);
    expect(String(errors[0]?.error)).toContain('the source must be an iterable');
    expect(errors[0]?.context).toMatchObject({ stage: 'source', stream });
    expect(await stream.closed).toBe('error');
  });
});

describe('an item', () => {
  it('can be named, and made into data', async () => {
    expect(await wire([1, 2], { event: 'n' })).toBe('event: n\ndata: 1\n\nevent: n\ndata: 2\n\n');
    expect(
      await wire(['a', 'b'], {
        event: item => (item === 'a' ? 'first' : undefined),
        map: item => ({ item }),
      }),
    ).toBe('event: first\ndata: {"item":"a"}\n\ndata: {"item":"b"}\n\n');
  });

  it('is skipped when map returns undefined', async () => {
    expect(await wire([0, 1, 2], { map: n => (n === 1 ? undefined : n) })).toBe('data: 0\n\ndata: 2\n\n');
  });

  it('is sent when it is falsy', async () => {
    expect(await wire([0, '', false, null])).toBe('data: 0\n\ndata: \n\ndata: false\n\ndata: null\n\n');
  });

  it('that cannot be sent ends the source and the stream', async () => {
    const { stream, transport, errors } = open();
    let stopped = false;
    const sent = stream.stream(function* () {
      try {
        yield 1;
        yield undefined;
        yield 3;
      } finally {
        stopped = true;
      }
    });
    expect(await sent).toBe(false);
    expect(stopped).toBe(true);
    expect(errors).toMatchObject([{ error: expect.any(TypeError), context: { stage: 'source' } }]);
    expect(transport.text).toBe(`data: 1\n\n`);
    expect(await stream.closed).toBe('error');
  });
});

describe('bytes are decoded as one text, however they are split', () => {
  const text = '\ufeffa€😀é';
  const bytes = new TextEncoder().encode(text);
  const cuts = Array.from(bytes, (_, i) => [bytes.subarray(0, i), bytes.subarray(i)]);
  const join = (sent: string) => sent.replaceAll('data: ', '').replaceAll('\n\n', '');

  it.each(['web stream', 'Readable', 'list', 'list of promises'])('of a %s', async kind => {
    for (const parts of [...cuts, Array.from(bytes, byte => Uint8Array.of(byte))]) {
      const source = {
        'web stream': () => ReadableStream.from(parts),
        Readable: () => Readable.from(parts.filter(part => part.length > 0)),
        list: () => parts,
        'list of promises': () => parts.map(part => Promise.resolve(part)),
      }[kind] as () => Source<Uint8Array>;
      const sent = await wire(source);
      expect(join(sent)).toBe(text);
      // A part that has no whole character makes no event.
      expect(sent).not.toContain('data: \n');
    }
  });

  it('passes the text to map and event', async () => {
    const [head, tail] = [bytes.subarray(0, 6), bytes.subarray(6)];
    const seen: string[] = [];
    await wire([head, tail], {
      map: item => {
        seen.push(item as string);
        return item;
      },
    });
    expect(seen).toEqual(['\ufeffa', '€😀é']);
  });

  it('and an incomplete character at the end is U+FFFD', async () => {
    expect(await wire([Uint8Array.of(0x61, 0xe2, 0x82)])).toBe('data: a\n\ndata: \ufffd\n\n');
  });
});

describe('after the last item', () => {
  it('the response ends with the end marker', async () => {
    const { transport, stream } = open();
    await stream.stream([1]);
    expect(await stream.closed).toBe('ended');
    expect(transport.text).not.toContain('id:');

    const get = new MemoryTransport();
    await createHub().open(get, { method: 'GET', url: '/' }).stream([1]);
    expect(get.text).toBe(`data: 1\n\nevent: tidings\ndata: \nid: end.\n\n`);
  });

  it('with `end: false` it stays open', async () => {
    const { transport, stream } = open();
    expect(await stream.stream([1], { end: false })).toBe(true);
    expect(stream.send(2)).toBe(true);
    expect(transport.text).toBe(`data: 1\n\ndata: 2\n\n`);
    stream.close();
  });
});

describe('a source', () => {
  it('waits for the client', async () => {
    const { transport, stream } = open();
    transport.isFull = true;
    let made = 0;
    const sent = stream.stream(function* () {
      while (made < 3) yield made++;
    });
    await wait(10);
    expect(made).toBe(1);
    transport.drain();
    expect(await sent).toBe(true);
    expect(made).toBe(3);
  });

  it('that never waits does not block other streams', async () => {
    const { transport, stream } = open();
    let ticks = 0;
    const deadline = performance.now() + 2_000;
    const sent = stream.stream(function* () {
      while (ticks < 3 && performance.now() < deadline) yield 1;
    });
    const timer = setInterval(() => ticks++, 1);
    expect(await sent).toBe(true);
    clearInterval(timer);
    expect(ticks).toBeGreaterThanOrEqual(3);
    expect(transport.text).toContain('data: 1');
  });

  it('that fails closes the stream, and the error is not sent', async () => {
    const { transport, stream, errors } = open();
    const failure = new Error('password=1234');
    const sent = stream.stream(async function* () {
      yield 'a';
      throw failure;
    });
    expect(await sent).toBe(false);
    expect(errors).toMatchObject([{ error: failure, context: { stage: 'source' } }]);
    expect(transport.text).toBe(`data: a\n\n`);
    expect(await stream.closed).toBe('error');
  });

  it('is not created for a closed stream, and is cancelled if it was created before', async () => {
    const { transport, stream } = open();
    transport.leave();
    let made = false;
    expect(
      await stream.stream(() => {
        made = true;
        return [];
      }),
    ).toBe(false);
    expect(made).toBe(false);
    const { source, stopped } = pending('web stream');
    expect(await stream.stream(source)).toBe(false);
    expect(await stopped).toBe('cancel');
  });

  it('that is created while the stream closes is cancelled', async () => {
    const { transport, stream } = open();
    const { source, stopped } = pending('Readable');
    const sent = stream.stream(async signal => {
      transport.leave();
      expect(signal.aborted).toBe(true);
      await turn();
      return source;
    });
    expect(await sent).toBe(false);
    expect(await stopped).toBe('destroy');
  });

  it.each([
    ['web stream', 'cancel'],
    ['Readable', 'destroy'],
    ['iterator', 'return'],
  ] as const)('is cancelled while its next item is pending: %s', async (kind, how) => {
    const { transport, stream, errors } = open();
    const { source, stopped } = pending(kind);
    const sent = stream.stream(source);
    while (!transport.text.includes('data: a')) await turn();
    transport.leave();
    expect(await sent).toBe(false);
    expect(await stopped).toBe(how);
    await turn();
    expect(errors).toEqual([]);
  });

  it('that is an async generator stops at its next step', async () => {
    const { transport, stream, errors } = open();
    let wake!: () => void;
    const asleep = new Promise<void>(resolve => {
      wake = resolve;
    });
    let sleeps!: () => void;
    const sleeping = new Promise<void>(resolve => {
      sleeps = resolve;
    });
    const steps: string[] = [];
    const sent = stream.stream(async function* () {
      try {
        yield 1;
        sleeps();
        await asleep;
        steps.push('awake');
        yield 2;
        steps.push('went on');
      } finally {
        steps.push('stopped');
      }
    });
    await sleeping;
    transport.leave();
    // The stream does not wait for it.
    expect(await sent).toBe(false);
    expect(steps).toEqual([]);
    wake();
    await turn();
    expect(steps).toEqual(['awake', 'stopped']);
    expect(transport.text).not.toContain('data: 2');
    expect(errors).toEqual([]);
  });

  it('that throws when it is cancelled is reported', async () => {
    const { transport, stream, errors } = open();
    const failure = new Error('stuck');
    const sent = stream.stream(
      new ReadableStream({
        cancel() {
          throw failure;
        },
      }),
    );
    await turn();
    transport.leave();
    expect(await sent).toBe(false);
    await turn();
    expect(errors).toMatchObject([{ error: failure, context: { stage: 'source' } }]);
  });
});

describe('a source', () => {
  it.each<[string, Source<unknown>, object]>([
    ['whose items are all left out', forever(1), { map: () => undefined }],
    ['of empty bytes', forever(new Uint8Array()), {}],
    ['whose items are all sent', forever('x'), {}],
  ])('%s does not hold the event loop', async (_, source, options) => {
    const { stream, transport } = open();
    const complete = stream.stream(source, options);
    await turn();
    await turn();
    transport.leave();
    expect(await complete).toBe(false);
  });

  it('that resolves after its stream has closed is cancelled, and not awaited', async () => {
    const { stream, transport } = open();
    transport.leave();
    expect(await stream.stream(new Promise<never>(() => {}))).toBe(false);
    const { source, stopped } = pending('web stream');
    expect(await stream.stream(Promise.resolve(source))).toBe(false);
    expect(await stopped).toBe('cancel');
  });
});

describe('a source that fails', () => {
  it('after its stream has closed changes nothing', async () => {
    const { stream, transport } = open();
    transport.leave();
    // A file that cannot be opened fails a moment later, destroyed or not.
    expect(await stream.stream(createReadStream('/nowhere/to/be/found'))).toBe(false);
    await wait(20);
  });

  it('in an item of an iterable is closed', async () => {
    const { stream, errors } = open();
    let isReleased = false;
    function* failing() {
      try {
        yield Promise.reject(new Error('item'));
      } finally {
        isReleased = true;
      }
    }
    expect(await stream.stream(failing())).toBe(false);
    expect(isReleased).toBe(true);
    expect(errors).toHaveLength(1);
  });

  it('to send an item is cancelled without waiting', async () => {
    const { stream, errors } = open();
    const source = new ReadableStream({
      start: controller => controller.enqueue(Symbol('unsendable')),
      cancel: () => new Promise(() => {}),
    });
    expect(await stream.stream(source)).toBe(false);
    expect(errors).toHaveLength(1);
  });
});

/** Fast, without an end of its own: a test that fails must not hang the others. */
function* forever(item: unknown) {
  const end = Date.now() + 3_000;
  while (Date.now() < end) yield item;
  throw new Error('the event loop was held');
}
