import { nextTurn, TURN_BUDGET } from '../base/event-loop.ts';
import { isBytes } from '../protocol/event.ts';
import type { EventStream } from './event-stream.ts';
import type { SourceInput, SourceItem, SourceOptions } from './source-options.ts';

/** An opened source, the same for every kind. */
interface Reader {
  next(): Promise<IteratorResult<unknown>>;
  /** Ends the source, also while a `next()` is pending. */
  stop(): unknown;
}

/**
 * Sends each item of a source to a stream, at the pace of the peer. When the stream closes, the source is
 * stopped and the promise settles at once, whatever the source is waiting for.
 *
 * @param onStopError called when stopping the source fails.
 * @returns true when every item was sent, false when the stream closed before. Rejects when the source fails
 *   or an item cannot be sent.
 */
export function pump<T>(
  stream: EventStream,
  input: SourceInput<T>,
  { event, map }: SourceOptions<T>,
  onStopError: (error: unknown) => void,
): Promise<boolean> {
  const { signal } = stream;
  let reader: Reader | undefined;

  async function stop(): Promise<void> {
    try {
      await reader?.stop();
    } catch (error) {
      onStopError(error);
    }
  }

  async function send(item: SourceItem<T>): Promise<void> {
    const data = map === undefined ? item : map(item);
    if (map !== undefined && data === undefined) return;
    const name = typeof event === 'function' ? event(item) : event;
    if (!stream.send(data, { event: name })) await stream.drained();
  }

  async function run(): Promise<boolean> {
    if (signal.aborted && typeof input === 'function') return false;
    const opened = openSource(await (typeof input === 'function' ? input(signal) : input));
    reader = opened;
    if (signal.aborted) {
      await stop();
      return false;
    }
    for await (const item of decodeItems(opened)) {
      if (signal.aborted) break;
      try {
        await send(item as SourceItem<T>);
      } catch (error) {
        // Not awaited: it may take its time, or for ever.
        stop();
        throw error;
      }
    }
    return !signal.aborted;
  }

  return new Promise((resolve, reject) => {
    const onAbort = () => {
      resolve(false);
      stop();
    };
    if (signal.aborted) resolve(false);
    else signal.addEventListener('abort', onAbort);
    // After an abort the promise has settled and a rejection goes nowhere: failing is how many sources stop.
    run()
      .finally(() => signal.removeEventListener('abort', onAbort))
      .then(resolve, reject);
  });
}

/** The items of a source, with the bytes among them decoded: a character may span several. */
async function* decodeItems(reader: Reader): AsyncGenerator<unknown, undefined> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let turnStart = performance.now();
  for (;;) {
    if (performance.now() - turnStart > TURN_BUDGET) {
      await new Promise<void>(nextTurn);
      turnStart = performance.now();
    }
    const { done, value } = await reader.next();
    if (done) break;
    if (!isBytes(value)) {
      yield value;
      continue;
    }
    decoder ??= new TextDecoder('utf-8', { ignoreBOM: true });
    const text = decoder.decode(value, { stream: true });
    if (text !== '') yield text;
  }
  const rest = decoder?.decode();
  if (rest) yield rest;
}

/** @throws {TypeError} when it is none of the kinds of {@link Source}. */
function openSource(source: unknown): Reader {
  if (typeof source === 'object' && source !== null && !isBytes(source)) {
    if (isReadableStream(source)) {
      // Its own iterator would cancel only after the pending read, which may never come.
      const reader = source.getReader();
      return { next: () => reader.read() as Promise<IteratorResult<unknown>>, stop: () => reader.cancel() };
    }
    if (Symbol.asyncIterator in source) {
      const iterator = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      // A Node Readable, too, is to stop at once and not at its next chunk.
      const stop = isDestroyable(source) ? () => destroy(source) : () => iterator.return?.();
      return { next: () => iterator.next(), stop };
    }
    if (Symbol.iterator in source) {
      const iterator = (source as Iterable<unknown>)[Symbol.iterator]();
      return {
        async next() {
          const { done, value } = iterator.next();
          if (done) return { done, value: undefined };
          try {
            return { done: false, value: await value };
          } catch (error) {
            iterator.return?.();
            throw error;
          }
        },
        stop: () => iterator.return?.(),
      };
    }
  }
  throw new TypeError(
    'a source is an iterable, async or not, a ReadableStream, a Readable, or a function that returns one; ' +
      `got ${isBytes(source) ? 'bytes' : source && typeof source}. To send one value, use send()`,
  );
}

function isReadableStream(source: object): source is ReadableStream<unknown> {
  return typeof (source as Partial<ReadableStream>).getReader === 'function';
}

interface Destroyable {
  destroy(): void;
  on?(event: 'error', listener: () => void): void;
}

function destroy(source: Destroyable): void {
  // Nobody reads it any more, and an error that nobody listens for ends the process.
  source.on?.('error', () => {});
  source.destroy();
}

function isDestroyable(source: object): source is Destroyable {
  return typeof (source as { destroy?: unknown }).destroy === 'function';
}
