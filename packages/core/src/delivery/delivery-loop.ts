import { nextTurn, TURN_BUDGET } from '../base/scheduler.ts';
import type { ChannelState } from '../log/channel-log.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Subscriber } from './stream-delivery.ts';

/** What a flush needs of its log. */
export interface FlushHost {
  /** The newest position. */
  readonly head: Position;
  /** Every live stream has been given what these channels have, up to `passed`. */
  roundEnded(channels: Iterable<ChannelState>): void;
}

/** Visits of one turn, before it is known how long they take; and bounds, since that may change. */
const FIRST = 256;
const LEAST = 16;
const MOST = 1_024;

/**
 * Brings every stream to the head: one work list and one budget of time for everything, be it live streams, laggards
 * that have room again, or clients that have come back. It goes in rounds; what comes during one is the next one's,
 * for the streams that have been visited.
 */
export class Flush {
  /** Every live stream has been given everything up to here. */
  passed: Position = 0;
  /** Bytes that are newer than that. */
  pinned = 0;
  readonly #host: FlushHost;
  /** Channels to which something has come since the round began. */
  #dirty = new Set<ChannelState>();
  #walked = new Set<ChannelState>();
  #list: Subscriber[] = [];
  #next = 0;
  #roundHead: Position = 0;
  /** Of `pinned`, what the round will have passed. */
  #roundBytes = 0;
  #isScheduled = false;
  /** Visits that fit in a turn. */
  #stride = FIRST;

  constructor(host: FlushHost) {
    this.#host = host;
  }

  /** Something has come to a channel: so many bytes. */
  add(channel: ChannelState, bytes: number): void {
    this.#dirty.add(channel);
    this.pinned += bytes;
    this.schedule();
  }

  /** Has a stream visited that was behind and has room again, or has just begun. */
  wake(subscriber: Subscriber): void {
    this.#list.push(subscriber);
    this.schedule();
  }

  /** Has `passed` follow the head. */
  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#walkSoon();
  }

  /** Whether streams are yet to be given what has come to a channel. */
  isDue(channel: ChannelState): boolean {
    return this.#dirty.has(channel) || this.#walked.has(channel);
  }

  /** Forgets everything, and goes on from a position. Returns those whose turn had yet to come. */
  startOver(head: Position): Subscriber[] {
    const waiting = this.#list.slice(this.#next);
    this.passed = this.#roundHead = head;
    this.pinned = this.#roundBytes = 0;
    this.#dirty.clear();
    this.#walked.clear();
    this.#list = [];
    this.#next = 0;
    return waiting;
  }

  /** Returns how many it has visited. */
  #walk(): number {
    const start = performance.now();
    let visits = 0;
    for (;;) {
      while (this.#next < this.#list.length) {
        (this.#list[this.#next++] as Subscriber).catchUp();
        visits += 1;
        if (visits === this.#stride || performance.now() - start > TURN_BUDGET) {
          this.#walkSoon();
          return visits;
        }
      }
      this.#endRound();
      if (this.passed === this.#host.head) break;
      this.#beginRound();
    }
    this.#isScheduled = false;
    return visits;
  }

  /**
   * Walks in the next turn. A server may write what it is given only after its giver has finished (the one of Hono
   * on Node does): one callback behind the other sees how long all of it has taken, and how far the next may go.
   */
  #walkSoon(): void {
    let start = 0;
    let visits = 0;
    nextTurn(() => {
      start = performance.now();
      visits = this.#walk();
    });
    nextTurn(() => {
      const taken = performance.now() - start;
      // What ends early says little of how long a visit takes.
      if (visits < this.#stride && taken < TURN_BUDGET) return;
      const fit = Math.floor((visits * TURN_BUDGET) / taken);
      this.#stride = Math.max(LEAST, Math.min(fit, MOST));
    });
  }

  #beginRound(): void {
    this.#roundHead = this.#host.head;
    this.#roundBytes = this.pinned;
    [this.#walked, this.#dirty] = [this.#dirty, this.#walked];
    // One visit brings a stream all of its channels.
    const due = this.#walked.size > 1 ? new Set<Subscriber>() : undefined;
    for (const channel of this.#walked) {
      for (const subscriber of channel.subscribers) due?.add(subscriber) ?? this.#list.push(subscriber);
    }
    for (const subscriber of due ?? []) this.#list.push(subscriber);
  }

  #endRound(): void {
    this.#list = [];
    this.#next = 0;
    this.passed = this.#roundHead;
    this.pinned -= this.#roundBytes;
    this.#roundBytes = 0;
    this.#host.roundEnded(this.#walked);
    this.#walked.clear();
  }
}
