import { type AccessOwner, type AccessPhase, ChannelAccess } from './subscriptions/channel-access.ts';
import type { Subscription } from './subscriptions/subscription.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';

/** A stream that may not follow every channel. */
export interface AccessTarget {
  /** The client says that it has received everything: it was told so when its last channel was withdrawn. */
  readonly hasReceivedEnd: boolean;
  /** Asks the application, which answers in the same tick, or later. */
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

/** The delivery to such a stream. */
export interface GuardedDelivery {
  readonly opener: { readonly phase: string; answered(): void };
  unsubscribe(names: readonly string[]): void;
  /** Nothing of the channel may be subscribed by a change that is still to come. */
  withdrawChanges(names: readonly string[]): void;
  /** Delivers nothing of the channels that are being asked for again, while there are any. */
  holdBack(access: ChannelAccess | undefined): void;
}

/** What the answers about channels do to the delivery of one stream. */
export class DeliveryAccess implements AccessOwner {
  readonly channels: ChannelAccess;
  readonly #target: AccessTarget;
  readonly #subscriptions: Subscriptions;
  readonly #delivery: GuardedDelivery;
  /** Every channel was refused before the stream began. */
  #refused: readonly string[] | undefined;

  constructor(target: AccessTarget, subscriptions: Subscriptions, delivery: GuardedDelivery) {
    this.#target = target;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
    this.channels = new ChannelAccess((...question) => target.ask(...question), subscriptions, this);
  }

  /** Whether all answers are there. Subscriptions that were refused are removed. */
  areAllowed(subscriptions: readonly Subscription[]): boolean {
    if (!this.channels.areAnswered(subscriptions.map(({ channel }) => channel.name))) return false;
    const refused = this.channels.takeRefused();
    if (refused.length === 0) return true;
    this.#subscriptions.remove(refused);
    const isAtStart = this.#delivery.opener.phase === 'opening';
    if (isAtStart && this.#subscriptions.list.length === 0) this.#refused = refused;
    for (const name of refused) this.#target.refused(name);
    return true;
  }

  /** There is nothing for the client, and it has been told so before. */
  get isFinished(): boolean {
    return this.#refused !== undefined && this.#target.hasReceivedEnd;
  }

  /** The stream has begun. That every channel was refused is told like a withdrawal. */
  begun(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) this.withdrawn(refused);
  }

  accessAnswered(): void {
    this.#delivery.holdBack(this.channels.isHolding ? this.channels : undefined);
    this.#delivery.opener.answered();
  }

  withdraw(names: readonly string[]): void {
    this.#delivery.withdrawChanges(names);
    this.#delivery.unsubscribe(names);
  }

  withdrawn(names: readonly string[]): void {
    this.#target.withdrawn(names, this.#subscriptions.list.length === 0);
  }
}
