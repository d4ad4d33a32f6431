import { inspect } from 'node:util';
import type { EventStream, Hub } from '@tidings/core';

/** Characters of the data of a stream. */
const MAX_DATA = 1_000;

/**
 * Names the streams of a hub for the page. `stream.id` would give each of them an id, and with it an entry in the
 * registry of clients. A name is of this process alone: after a restart, no old name is that of a new stream.
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

  /** The open stream of a name. */
  find(name: string): EventStream | undefined {
    for (const stream of this.#hub.streams) if (this.#names.get(stream) === name) return stream;
    return undefined;
  }
}

/** The data of a stream as text, however large it is, and whatever refers to itself. Getters are not called. */
export function describeData(data: unknown): string | undefined {
  if (data === undefined) return undefined;
  try {
    return inspect(data, { depth: 1, maxArrayLength: 10, maxStringLength: 100 }).slice(0, MAX_DATA);
  } catch {
    // A class may have an `inspect` of its own.
    return 'cannot be shown';
  }
}
