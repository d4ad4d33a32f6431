import { dataText, encode, isJson } from '../protocol/event.ts';
import type { Position } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';

/** The settings of a channel's snapshot. */
export interface SnapshotSettings {
  /** The name of the event. */
  readonly event: string;
  /** Returns the state of the channel, or a promise of it. */
  readonly take: () => unknown;
  /** Whether the event is sent with the name of its channel. */
  readonly hasChannelField: boolean;
}

/** The event that has the state of a channel. */
export interface State {
  readonly event: string;
  /** As in {@link Entry}. */
  readonly json: boolean;
  readonly data: string;
  readonly frame: Frame;
}

/** A snapshot that was requested from the application. */
export interface Snapshot {
  /** The state includes all entries up to this position. */
  readonly position: Position;
  readonly state: Promise<State>;
}

/** ms after which a snapshot fails. */
const TIMEOUT = 30_000;

/**
 * Asks the application for the state of one channel. Requests during a pending call share its result, if all entries
 * since the position of that call are retained.
 */
export class Snapshots {
  readonly #channel: string;
  readonly #settings: SnapshotSettings;
  #pending: Snapshot | undefined;

  constructor(channel: string, settings: SnapshotSettings) {
    this.#channel = channel;
    this.#settings = settings;
  }

  /** @param trimmedUpTo all entries after this position are retained. */
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
