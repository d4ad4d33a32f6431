import type { Frame } from '../protocol/frame.ts';
import type { ResetReason } from '../protocol/reset.ts';

/**
 * What a stream receives when it begins: the events that its client missed, or the state of its channels.
 */
export interface Replay {
  /**
   * - `resumed`: the client receives all events after its Last-Event-ID.
   * - `reset`: it has missed events that it cannot receive.
   * - `new`: it sent no id, or has missed no event that its channels retain.
   */
  readonly outcome: 'resumed' | 'reset' | 'new';
  /** Why it has missed events. Undefined unless the outcome is `reset`. */
  readonly reason: ResetReason | undefined;
  /** Events of the log that were passed to the transport. */
  readonly events: number;
  /** Bytes of these events, and of the markers between them. */
  readonly bytes: number;
  /** ms from the begin of the stream until it had caught up, or closed. */
  readonly duration: number;
  /** Whether it has caught up. False: it closed before. */
  readonly isComplete: boolean;
}

/** Counts what a stream receives until it has caught up with the log for the first time. */
export class ReplayMeter {
  /** Called once, at the end. */
  onEnd: (replay: Replay) => void = () => {};
  /** The client resumes after its Last-Event-ID. It may have missed events all the same. */
  readonly isResumed: boolean;
  readonly #reason: ResetReason | undefined;
  readonly #beganAt = performance.now();
  #events = 0;
  #bytes = 0;

  /** @param reason why the client has missed events; undefined if it has not. */
  constructor(isResumed: boolean, reason: ResetReason | undefined) {
    this.isResumed = isResumed;
    this.#reason = reason;
  }

  count({ events, length }: Frame): void {
    this.#events += events;
    this.#bytes += length;
  }

  end(isComplete: boolean): void {
    this.onEnd({
      outcome: this.#reason !== undefined ? 'reset' : this.isResumed ? 'resumed' : 'new',
      reason: this.#reason,
      events: this.#events,
      bytes: this.#bytes,
      duration: performance.now() - this.#beganAt,
      isComplete,
    });
  }
}
