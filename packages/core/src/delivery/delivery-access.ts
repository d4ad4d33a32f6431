import type { DeliveryWriter } from './delivery-writer.ts';
import { type AccessOwner, type AccessTarget, ChannelAccess } from './subscriptions/channel-access.ts';
import type { OpenerAccess } from './subscriptions/channel-opener.ts';
import type { Subscription } from './subscriptions/subscription.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';

/** The delivery to such a stream. */
export interface GuardedDelivery {
  readonly writer: Pick<DeliveryWriter, 'hold'>;
  readonly opener: { answered(): void };
  unsubscribe(names: readonly string[]): void;
  schedule(): void;
}

/** What the answers about channels do to the delivery of one stream. */
export class DeliveryAccess implements AccessOwner, OpenerAccess {
  isAsking = false;
  /** Something of a channel has to wait for an answer. */
  isHolding = false;
  readonly #channels: ChannelAccess;
  readonly #target: AccessTarget;
  readonly #subscriptions: Subscriptions;
  readonly #delivery: GuardedDelivery;
  /** Every channel was refused before the stream began. */
  #refused: readonly string[] | undefined;
  #rechecking: Generator<void> | undefined;

  constructor(target: AccessTarget, subscriptions: Subscriptions, delivery: GuardedDelivery) {
    this.#target = target;
    this.#subscriptions = subscriptions;
    this.#delivery = delivery;
    this.#channels = new ChannelAccess((...question) => target.ask(...question), subscriptions, this);
  }

  /** These are subscribed to, or were unsubscribed: earlier answers do not count. */
  forget(names: readonly string[]): void {
    this.#channels.forget(names);
    if (this.isHolding) this.#updateHold();
  }

  /** Nothing is delivered until every channel has been asked for again: {@link recheckNext} has to follow. */
  hold(): void {
    this.#channels.holdAll();
  }

  /** Asks for one channel again. Returns whether there are more. */
  recheckNext(): boolean {
    const steps = this.#rechecking ?? this.#channels.recheck();
    this.#rechecking = undefined;
    if (steps.next().done) return false;
    this.#rechecking = steps;
    return true;
  }

  /** To be called before anything is delivered. */
  applyHold(): void {
    this.#channels.applyHold();
  }

  areAllowed(subscriptions: readonly Subscription[], isAtStart: boolean): boolean {
    // `authorize` may subscribe synchronously: that is no answer.
    this.isAsking = false;
    this.isAsking = !this.#channels.areAnswered(subscriptions.map(({ channel }) => channel.name));
    if (this.isAsking) return false;
    const refused = this.#channels.takeRefused();
    if (refused.length === 0) return true;
    this.#subscriptions.remove(refused);
    if (isAtStart && this.#subscriptions.list.length === 0) this.#refused = refused;
    for (const name of refused) this.#target.refused(name);
    return true;
  }

  /** There is nothing for the client, and it has been told so before. */
  get isFinished(): boolean {
    const isEmpty = this.#subscriptions.list.length === 0;
    return this.#refused !== undefined && isEmpty && this.#target.hasReceivedEnd;
  }

  /** The stream has begun. If every channel was refused, the client is told as for a channel that was revoked. */
  begun(): void {
    const refused = this.#refused;
    this.#refused = undefined;
    if (refused !== undefined) this.withdrawn(refused);
  }

  accessAnswered(): void {
    if (this.#channels.isHolding || this.isHolding) this.#updateHold();
    this.#delivery.opener.answered();
  }

  #updateHold(): void {
    const { writer } = this.#delivery;
    this.isHolding = this.#channels.isHolding;
    writer.hold(this.isHolding ? position => this.#channels.limit(position) : undefined);
    this.#delivery.schedule();
  }

  withdraw(names: readonly string[]): void {
    this.#delivery.unsubscribe(names);
  }

  withdrawn(names: readonly string[]): void {
    this.#target.withdrawn(names, this.#subscriptions.list.length === 0);
  }
}
