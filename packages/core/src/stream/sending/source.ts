import { ITERATION_BUDGET, nextIteration } from '../../base/event-loop.ts';
import { isBytes } from '../../protocol/event.ts';
import { observableOf, readObservable } from './observable.ts';
import type { SourceInput, SourceItem, SourceOptions } from './source-options.ts';

/** Reads a source of any kind. */
interface SourceReader {
  next(): Promise<IteratorResult<unknown>>;
  /** Cancels the source, also while a `next()` is pending. */
  cancel(): unknown;
}

/** The target to which the items of a source are sent: a stream, or a channel. */
export interface SourceTarget {
  /** Aborted when the target accepts no more items. */
  readonly signal: AbortSignal;
  /** Sends an item. Returns false if `drained()` must be awaited before the next one. */
  send(data: unknown, fields: { event: string | undefined }): boolean;
  /** Rejects if the item cannot be sent. */
  drained(): Promise<unknown>;
}

/**
 * Sends each item of a source to its target, at the target's pace. When the signal of the target is aborted, the source
 * is cancelled and the promise settles at once, even if the source is waiting.
 *
 * @param onCancelError called when the source fails to cancel.
 * @returns true when every item was sent; false when the signal was aborted before. Rejects when the source fails, or
 *   an item cannot be sent.
 */
export function pump<T>(
  target: SourceTarget,
  input: SourceInput<T>,
  { event, map }: SourceOptions<T>,
  onCancelError: (error: unknown) => void,
): Promise<boolean> {
  const { signal } = target;
  let reader: SourceReader | undefined;

  async function cancel(): Promise<void> {
    try {
      await reader?.cancel();
    } catch (error) {
      onCancelError(error);
    }
  }

  async function send(item: SourceItem<T>): Promise<void> {
    const data = map === undefined ? item : map(item);
    if (map !== undefined && data === undefined) return;
    const name = typeof event === 'function' ? event(item) : event;
    if (!target.send(data, { event: name })) await target.drained();
  }

  async function run(): Promise<boolean> {
    if (signal.aborted && typeof input === 'function') return false;
    const opened = openSource(await (typeof input === 'function' ? input(signal) : input));
    reader = opened;
    if (signal.aborted) {
      await cancel();
      return false;
    }
    for await (const item of decodeItems(opened)) {
      if (signal.aborted) break;
      try {
        await send(item as SourceItem<T>);
      } catch (error) {
        // Not awaited, because it may never settle.
        cancel();
        throw error;
      }
    }
    return !signal.aborted;
  }

  return new Promise((resolve, reject) => {
    const onAbort = () => {
      resolve(false);
      cancel();
    };
    if (signal.aborted) resolve(false);
    else signal.addEventListener('abort', onAbort);
    // Many sources fail when they are cancelled. After an abort the promise has settled, so their rejection has no
    // effect.
    run()
      .finally(() => signal.removeEventListener('abort', onAbort))
      .then(resolve, reject);
  });
}

/** The items of a source. Bytes are decoded; a character may span several chunks. */
async function* decodeItems(reader: SourceReader): AsyncGenerator<unknown, undefined> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let start = performance.now();
  for (;;) {
    if (performance.now() - start > ITERATION_BUDGET) {
      await new Promise<void>(nextIteration);
      start = performance.now();
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

/** @throws {TypeError} if the value is not a {@link Source}. */
function openSource(source: unknown): SourceReader {
  if (typeof source === 'object' && source !== null && !isBytes(source)) {
    if (isReadableStream(source)) {
      // The iterator of a ReadableStream cancels only after the pending read, which may never resolve.
      const reader = source.getReader();
      return { next: () => reader.read() as Promise<IteratorResult<unknown>>, cancel: () => reader.cancel() };
    }
    const observable = observableOf(source);
    if (observable !== undefined) {
      const iterator = readObservable(observable);
      return { next: () => iterator.next(), cancel: () => iterator.return?.() };
    }
    if (Symbol.asyncIterator in source) {
      const iterator = (source as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      // The iterator of a Node Readable ends only at the next chunk.
      const cancel = isDestroyable(source) ? () => destroy(source) : () => iterator.return?.();
      return { next: () => iterator.next(), cancel };
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
        cancel: () => iterator.return?.(),
      };
    }
  }
  throw new TypeError(
    'the source must be an iterable, an async iterable, a ReadableStream, a Readable, an observable, or a function that ' +
      'returns one; ' +
      `got ${isBytes(source) ? 'bytes' : source && typeof source}. Use send() for a single value.`,
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
  // An error without a listener would end the process.
  source.on?.('error', () => {});
  source.destroy();
}

function isDestroyable(source: object): source is Destroyable {
  return typeof (source as { destroy?: unknown }).destroy === 'function';
}
