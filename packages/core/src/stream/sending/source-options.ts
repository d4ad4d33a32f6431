import type { Observable } from './observable.ts';

/**
 * A source of items: an iterable, an async iterable, a web stream, a Node Readable, or an observable (RxJS). An
 * observable does not wait for the client, so it fails when 1,000 items are queued.
 */
export type Source<T> = AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T> | Observable<T>;

/**
 * The argument of `stream()`: a source, a promise of one, or a function that creates one. The function is not called
 * for a client that has already received the whole source.
 */
export type SourceInput<T> =
  | Source<T>
  | Promise<Source<T>>
  | ((signal: AbortSignal) => Source<T> | Promise<Source<T>>);

/** An item as `map` and `event` receive it. Bytes are decoded as UTF-8; a character may span several chunks. */
export type SourceItem<T> = T extends Uint8Array ? string : T;

/** The options of `stream()`. */
export interface SourceOptions<T> {
  /** The name of every event, or a function that returns the name of each. Default: none, `message` at the client. */
  event?: string | ((item: SourceItem<T>) => string | undefined) | undefined;
  /** Returns the data of an item's event; `undefined` skips the item. Default: the item itself. */
  map?: ((item: SourceItem<T>) => unknown) | undefined;
  /** Whether the response ends after the last item. Default: true. */
  end?: boolean | undefined;
}
