import type { Position } from '../protocol/event-id.ts';
import type { EventStream } from '../stream/event-stream.ts';
import type { EndOptions } from '../stream/response/closing.ts';

/** The open streams of every client that was named in {@link StreamOptions.client}. Iterates over both. */
export interface ClientRegistry extends Iterable<[client: string, streams: ReadonlySet<EventStream>]> {
  /** How many clients have a stream. */
  readonly size: number;
  has(client: string): boolean;
  /** The streams of a client, oldest first; empty if it has none. */
  get(client: string): ReadonlySet<EventStream>;
  /**
   * Closes every stream of a client, in every process. The client may reconnect: refuse it where requests are
   * authenticated.
   *
   * @returns resolves when the message to the other processes is stored; rejects when the broker cannot store it.
   */
  disconnect(client: string): Promise<void>;
}

/** What the registry needs of a stream. */
interface ClientStream extends EventStream {
  end(reason: 'closed', options: EndOptions): void;
}

const NONE: ReadonlySet<never> = new Set<never>();

/** The registry, with the means to keep it. */
export class Clients<S extends ClientStream> implements ClientRegistry {
  readonly #streams = new Map<string, Set<S>>();
  readonly #disconnectElsewhere: (client: string) => Promise<unknown>;

  /** @param disconnectElsewhere has the other processes do the same. */
  constructor(disconnectElsewhere: (client: string) => Promise<unknown>) {
    this.#disconnectElsewhere = disconnectElsewhere;
  }

  get size(): number {
    return this.#streams.size;
  }

  has(client: string): boolean {
    return this.#streams.has(client);
  }

  get(client: string): ReadonlySet<S> {
    return this.#streams.get(client) ?? NONE;
  }

  [Symbol.iterator](): IterableIterator<[string, ReadonlySet<S>]> {
    return this.#streams[Symbol.iterator]();
  }

  disconnect(client: string): Promise<void> {
    for (const stream of this.get(client)) stream.close();
    const stored = this.#disconnectElsewhere(client).then(() => {});
    // A caller that does not await it must not end the process.
    stored.catch(() => {});
    return stored;
  }

  /** Closes the streams of a client in this process, as of a position. */
  close(client: string, position: Position): void {
    for (const stream of this.get(client)) stream.end('closed', { after: position });
  }

  add(stream: S): void {
    if (stream.client === undefined) return;
    const streams = this.#streams.get(stream.client) ?? new Set();
    this.#streams.set(stream.client, streams.add(stream));
  }

  delete(stream: S): void {
    if (stream.client === undefined) return;
    const streams = this.#streams.get(stream.client);
    if (streams?.delete(stream) && streams.size === 0) this.#streams.delete(stream.client);
  }
}
