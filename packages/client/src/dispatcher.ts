import type { RawEvent } from './connection/connection.ts';
import type { ReceivedEvent } from './events.ts';
import { report } from './report.ts';

type Listener = (value: never) => unknown;

/** A `for await` loop over the events. */
interface Loop {
  queue: ReceivedEvent[];
  /** Continues the loop. */
  wake(): void;
}

/** Passes events to listeners and loops. */
export class Dispatcher {
  readonly #text: readonly string[];
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #loops = new Set<Loop>();

  /** @param text names of the events whose data is not parsed. */
  constructor(text: readonly string[]) {
    this.#text = text;
  }

  on(name: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A new function for each call, so that a listener that was added twice is removed once by each returned function.
    const entry: Listener = value => listener(value);
    listeners.add(entry);
    return () => listeners.delete(entry);
  }

  dispatch({ event, data, id, channel }: RawEvent): void {
    if (!this.#listeners.get(event)?.size && !this.#loops.size) return;
    const parsed = { event, data: this.#text.includes(event) ? data : parse(data), id, channel };
    for (const loop of this.#loops) {
      loop.queue.push(parsed);
      loop.wake();
    }
    this.emit(event, parsed);
  }

  emit(name: string, value: unknown): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(value as never);
      } catch (error) {
        report(error);
      }
    }
  }

  /** Continues all loops, so that they check whether they have to end. */
  wake(): void {
    for (const loop of this.#loops) loop.wake();
  }

  /** @param isOver returns whether no more events follow. If it throws, the loop throws the error. */
  async *iterate(isOver: () => boolean): AsyncGenerator<ReceivedEvent, void, void> {
    let wake = () => {};
    const loop: Loop = { queue: [], wake: () => wake() };
    this.#loops.add(loop);
    try {
      for (;;) {
        const events = loop.queue;
        loop.queue = [];
        yield* events;
        if (loop.queue.length > 0) continue;
        if (isOver()) return;
        await new Promise<void>(resolve => {
          wake = resolve;
        });
      }
    } finally {
      this.#loops.delete(loop);
    }
  }
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
