import { inspect } from 'node:util';
import type { EventStream, Hub } from '@tidings/core';

/** Maximum number of characters of the data of a stream. */
const MAX_DATA = 1_000;

/**
 * Assigns names to the streams of a hub for the page. It does not use `stream.id`, which would assign an id to each
 * stream, and add an entry to the registry of clients. The prefix is random, so that after a restart, an old name does
 * not identify a new stream.
 */
export class ShownStreams {
  readonly #hub: Hub;
  readonly #names = new WeakMap<EventStream, string>();
  readonly #prefix = crypto.randomUUID().slice(0, 8);
  #count = 0;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  nameOf(stream: EventStream): string {
    let name = this.#names.get(stream);
    if (name === undefined) {
      this.#count += 1;
      name = `${this.#prefix}-${this.#count}`;
      this.#names.set(stream, name);
    }
    return name;
  }

  /** The open stream with a name. */
  find(name: string): EventStream | undefined {
    for (const stream of this.#hub.streams) if (this.#names.get(stream) === name) return stream;
    return undefined;
  }
}

/** The data of a stream as text of limited length. Supports circular references. Getters are not called. */
export function describeData(data: unknown): string | undefined {
  if (data === undefined) return undefined;
  try {
    return inspect(data, { depth: 1, maxArrayLength: 10, maxStringLength: 100 }).slice(0, MAX_DATA);
  } catch {
    // The data may have its own `inspect` function, which may throw.
    return 'cannot be shown';
  }
}
