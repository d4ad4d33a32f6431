/** Where items come from: an iterable of any kind, a web stream, or a Node Readable. */
export type Source<T> = AsyncIterable<T> | (Iterable<T> & object) | ReadableStream<T>;

/** What `stream()` takes: a source, a promise of one, or a function that makes one when it is really wanted. */
export type SourceInput<T> =
  | Source<T>
  | Promise<Source<T>>
  | ((signal: AbortSignal) => Source<T> | Promise<Source<T>>);

/** An item as `map` and `event` see it: bytes come decoded, as one UTF-8 text whatever their boundaries. */
export type SourceItem<T> = T extends Uint8Array ? string : T;

export interface SourceOptions<T> {
  /** The name of every event, or a function that names each. Default: none, which is `message` at the client. */
  event?: string | ((item: SourceItem<T>) => string | undefined) | undefined;
  /** Makes an event's data of an item; `undefined` leaves the item out. Default: the item itself. */
  map?: ((item: SourceItem<T>) => unknown) | undefined;
  /** Whether the response ends after the last item, as with `pipe()`. Default: true. */
  end?: boolean | undefined;
}
