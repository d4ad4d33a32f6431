import type { EventStream } from '../stream/event-stream.ts';

/** The open streams of every client that was named in {@link StreamOptions.client}. Iterates over both. */
export interface ClientRegistry extends Iterable<[client: string, streams: ReadonlySet<EventStream>]> {
  /** How many clients have a stream. */
  readonly size: number;
  has(client: string): boolean;
  /** The streams of a client, oldest first; empty when it has none. */
  get(client: string): ReadonlySet<EventStream>;
  /**
   * Closes every stream of a client, on every node. It may come back: keep it out where requests are authenticated.
   *
   * @returns resolves when the other nodes have been told; rejects when the broker cannot tell them.
   */
  disconnect(client: string): Promise<void>;
}

const NONE: ReadonlySet<never> = new Set<never>();

/** The registry, with the means to keep it. */
export class Clients<S extends EventStream> implements ClientRegistry {
  /** Asks the hubs of the other nodes to do the same. */
  tell: ((client: string) => Promise<void>) | undefined;
  readonly #streams = new Map<string, Set<S>>();

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
    this.close(client);
    const told = Promise.resolve(this.tell?.(client));
    // For whoever waits for it. It ends no process.
    told.catch(() => {});
    return told;
  }

  /** Closes the streams that a client has on this node. */
  close(client: string): void {
    for (const stream of this.get(client)) stream.close();
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
