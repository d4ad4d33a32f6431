import { encode } from '../protocol/event.ts';
import type { Position } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

/** How the application gives the state of a channel: the name of the event, and a function that returns its data. */
export interface SnapshotSettings {
  readonly event: string;
  readonly take: () => unknown;
}

/** The state of a channel, as the application gives it. */
export interface Snapshot {
  /** The state includes everything up to here. */
  readonly position: Position;
  readonly frame: Promise<Frame>;
}

/** ms after which a snapshot fails, so that streams do not wait for ever. */
const TIMEOUT = 30_000;

/** Asks the application for the state of one channel. Requests made while one is pending share its result. */
export class Snapshots {
  readonly #channel: string;
  readonly #settings: SnapshotSettings;
  #pending: Snapshot | undefined;

  constructor(channel: string, settings: SnapshotSettings) {
    this.#channel = channel;
    this.#settings = settings;
  }

  request(head: Position): Snapshot {
    this.#pending ??= { position: head, frame: this.#take() };
    return this.#pending;
  }

  async #take(): Promise<Frame> {
    const { take, event } = this.#settings;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise((_, reject) => {
      const error = new Error(`the snapshot of ${this.#channel} took longer than ${TIMEOUT} ms`);
      timer = setTimeout(reject, TIMEOUT, error);
    });
    try {
      // Not called here: what it throws must come after `#pending` is set.
      const state = new Promise(resolve => resolve(take()));
      return createFrame(encode(await Promise.race([state, timeout]), { event }), 1);
    } finally {
      clearTimeout(timer);
      this.#pending = undefined;
    }
  }
}
