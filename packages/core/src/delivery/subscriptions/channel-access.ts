import { nextIteration } from '../../base/event-loop.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Why a guard is asked: the stream subscribes, or follows the channel already. */
export type AccessPhase = 'subscribe' | 'recheck';

/** A stream that may not follow every channel. */
export interface AccessTarget {
  /** The client says that it has received everything: it was told so when its last channel was withdrawn. */
  readonly hasReceivedEnd: boolean;
  /** Asks the application, and calls back: in the same tick, or later. A failure is a no. */
  ask(channel: string, phase: AccessPhase, answer: (isAllowed: boolean) => void): void;
  /** The application has refused a channel that was subscribed to. */
  refused(channel: string): void;
  /**
   * The stream follows these channels no more.
   *
   * @param isLast no channel is left.
   */
  withdrawn(channels: readonly string[], isLast: boolean): void;
}

type Ask = AccessTarget['ask'];

/** Whose access it is: the delivery of a stream. */
export interface AccessOwner {
  /** Some questions have their answers now. */
  accessAnswered(): void;
  /** The stream may not follow channels any more. */
  withdraw(names: readonly string[]): void;
  /** These are the channels that were withdrawn in one iteration. */
  withdrawn(names: readonly string[]): void;
}

/**
 * Which channels one stream may follow. By name: a stream has one subscription to a channel, and one that is made again
 * after a loss needs no other answer.
 *
 * A channel is unknown → pending → allowed or refused. While an allowed channel is asked for again, it is both allowed
 * and pending: nothing of it is delivered ({@link limit}).
 */
export class ChannelAccess {
  readonly #ask: Ask;
  readonly #subscriptions: Subscriptions;
  readonly #owner: AccessOwner;
  readonly #allowed = new Set<string>();
  /** By channel, the question whose answer counts. */
  readonly #pending = new Map<string, object>();
  /** Refused at subscribe, and not taken yet. */
  #refused: string[] = [];
  #withdrawn: string[] = [];
  #isHoldDue = false;

  constructor(ask: Ask, subscriptions: Subscriptions, owner: AccessOwner) {
    this.#ask = ask;
    this.#subscriptions = subscriptions;
    this.#owner = owner;
  }

  /** Something of an allowed channel may have to wait. */
  get isHolding(): boolean {
    for (const name of this.#pending.keys()) if (this.#allowed.has(name)) return true;
    return false;
  }

  /** These are subscribed to, or were unsubscribed: earlier answers do not count. */
  forget(names: readonly string[]): void {
    for (const name of names) {
      this.#allowed.delete(name);
      this.#pending.delete(name);
    }
    this.#refused = this.#refused.filter(name => !names.includes(name));
  }

  /** Asks for the channels that are unknown. Returns whether every one has an answer. */
  areAnswered(names: readonly string[]): boolean {
    for (const name of names) {
      const isKnown = this.#allowed.has(name) || this.#pending.has(name) || this.#refused.includes(name);
      if (!isKnown) this.#question(name, 'subscribe');
    }
    return !names.some(name => this.#pending.has(name) && !this.#allowed.has(name));
  }

  /** The channels that were refused at subscribe since the last call. */
  takeRefused(): readonly string[] {
    const refused = this.#refused;
    this.#refused = [];
    return refused;
  }

  /**
   * Nothing of any channel is delivered until it has been asked for again. {@link recheck} has to follow. Constant time,
   * since one message may hold thousands of streams: {@link applyHold} does the rest.
   */
  holdAll(): void {
    this.#isHoldDue = true;
  }

  /** To be called before anything is delivered, or an answer counts. */
  applyHold(): void {
    if (!this.#isHoldDue) return;
    this.#isHoldDue = false;
    // Answers that are on their way do not count any more.
    for (const name of [...this.#allowed, ...this.#pending.keys()]) this.#pending.set(name, {});
    this.#owner.accessAnswered();
  }

  /** Asks for all channels again, one a step, so that streams with many of them do not hold the event loop. */
  *recheck(): Generator<void> {
    this.applyHold();
    for (const name of new Set([...this.#allowed, ...this.#pending.keys()])) {
      const isAllowed = this.#allowed.has(name);
      // It was unsubscribed meanwhile.
      if (!isAllowed && !this.#pending.has(name)) continue;
      const wasPending = this.#pending.has(name);
      this.#question(name, isAllowed ? 'recheck' : 'subscribe');
      const isSilent = !wasPending && !this.#pending.has(name) && this.#allowed.has(name);
      if (!isSilent) this.#owner.accessAnswered();
      yield;
    }
  }

  #question(name: string, phase: AccessPhase): void {
    const question = {};
    let isLate = false;
    this.#pending.set(name, question);
    this.#ask(name, phase, isAllowed => {
      this.applyHold();
      if (this.#pending.get(name) !== question) return;
      this.#pending.delete(name);
      if (isAllowed) this.#allowed.add(name);
      else if (this.#allowed.delete(name)) this.#withdraw(name);
      else this.#refused.push(name);
      if (isLate) this.#owner.accessAnswered();
    });
    isLate = true;
  }

  #withdraw(name: string): void {
    this.#owner.withdraw([name]);
    this.#withdrawn.push(name);
    if (this.#withdrawn.length > 1) return;
    nextIteration(() => {
      const names = this.#withdrawn;
      this.#withdrawn = [];
      this.#owner.withdrawn(names);
    });
  }

  /** The position up to which a stream may deliver, while answers are pending. */
  limit(position: Position): Position {
    let limit = this.#subscriptions.log.head;
    for (const subscription of this.#subscriptions.list) {
      if (!this.#pending.has(subscription.channel.name)) continue;
      if (subscription.hasGap(position)) return position;
      const next = subscription.channel.entryAfter(subscription.offset(position), limit);
      if (next !== undefined) limit = next.position - 1;
    }
    return limit;
  }
}
