import { dataText, encode, isJson } from '../protocol/event.ts';
import type { Position } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

/** How the application gives the state of a channel: the name of the event, and a function that returns its data. */
export interface SnapshotSettings {
  readonly event: string;
  readonly take: () => unknown;
  /** It is sent with the name of its channel. */
  readonly hasChannelField: boolean;
}

/** The event with the state of a channel. */
export interface State {
  readonly event: string;
  /** As in an entry. */
  readonly json: boolean;
  readonly data: string;
  readonly frame: Frame;
}

/** The state of a channel, as the application gives it. */
export interface Snapshot {
  /** The state includes everything up to here. */
  readonly position: Position;
  readonly state: Promise<State>;
}

/** ms after which a snapshot fails, so that streams do not wait for ever. */
const TIMEOUT = 30_000;

/**
 * Asks the application for the state of one channel. Requests made while one is pending share its result, if everything
 * since its position is retained.
 */
export class Snapshots {
  readonly #channel: string;
  readonly #settings: SnapshotSettings;
  #pending: Snapshot | undefined;

  constructor(channel: string, settings: SnapshotSettings) {
    this.#channel = channel;
    this.#settings = settings;
  }

  /** @param trimmedUpTo what is newer is retained. */
  request(head: Position, trimmedUpTo: Position): Snapshot {
    const pending = this.#pending;
    if (pending !== undefined && pending.position >= Math.min(trimmedUpTo, head)) return pending;
    const requested = {
      position: head,
      state: this.#take().finally(() => {
        if (this.#pending === requested) this.#pending = undefined;
      }),
    };
    this.#pending = requested;
    return requested;
  }

  async #take(): Promise<State> {
    const { take, event, hasChannelField } = this.#settings;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise((_, reject) => {
      const error = new Error(`the snapshot of ${this.#channel} took longer than ${TIMEOUT} ms`);
      timer = setTimeout(reject, TIMEOUT, error);
    });
    try {
      const taken = new Promise(resolve => resolve(take()));
      const state = await Promise.race([taken, timeout]);
      const data = dataText(state);
      const origin = hasChannelField ? { channel: this.#channel } : undefined;
      return { event, json: isJson(state), data, frame: createFrame(encode(data, { event }, origin), 1) };
    } finally {
      clearTimeout(timer);
    }
  }
}
