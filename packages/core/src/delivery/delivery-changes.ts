import { nextIteration } from '../base/event-loop.ts';
import { type Position, startAfter } from '../protocol/event-id.ts';
import type { DeliveryWriter } from './delivery-writer.ts';
import type { BoundOptions } from './subscriptions/subscribe-options.ts';
import type { Subscriptions } from './subscriptions/subscriptions.ts';

/** A change of a stream's subscriptions that takes effect when the stream has received everything up to a position. */
export interface SubscriptionChange {
  readonly type: 'subscribe' | 'unsubscribe';
  readonly channels: readonly string[];
  readonly options: BoundOptions;
  readonly position: Position;
}

/** The stream whose subscriptions change. */
interface ChangeTarget {
  readonly lastEventId: string | undefined;
  report(error: unknown, stage: 'subscribe'): void;
}

/** What makes the changes: the delivery of the stream. */
export interface ChangeOwner {
  readonly isLive: boolean;
  /** Waiting: for a snapshot. */
  readonly reader: { readonly isWaiting: boolean };
  readonly writer: Pick<DeliveryWriter, 'isClosing' | 'close' | 'runAfter'>;
  subscribeAt(names: readonly string[], options: BoundOptions, at: Position): void;
  unsubscribe(names: readonly string[]): void;
  schedule(): void;
}

/** The changes that control messages make to the subscriptions of one stream. */
export class DeliveryChanges {
  readonly #subscriptions: Subscriptions;
  readonly #target: ChangeTarget;
  readonly #owner: ChangeOwner;
  /** Those whose position the stream has not reached, in order. */
  readonly #pending: SubscriptionChange[] = [];
  /** The application has not subscribed the stream: a control message came first. */
  #isFirst: boolean;

  /** @param isFirst the application has not subscribed the stream. */
  constructor(subscriptions: Subscriptions, target: ChangeTarget, owner: ChangeOwner, isFirst: boolean) {
    this.#subscriptions = subscriptions;
    this.#target = target;
    this.#owner = owner;
    this.#isFirst = isFirst;
  }

  /** Makes a change when everything up to its position has been delivered. */
  add(change: SubscriptionChange): void {
    this.#pending.push(change);
    const { isLive, reader } = this.#owner;
    // A state that is requested later, or is on its way, may have what was published after the change.
    if (change.type === 'unsubscribe' && (!isLive || reader.isWaiting)) {
      this.#owner.unsubscribe(change.channels.filter(name => this.#hasState(name)));
    }
    this.#owner.writer.runAfter(change.position, () => this.#apply());
    this.#owner.schedule();
  }

  /** The options of a subscription of the application: its first ones resume, though the stream may have begun. */
  resuming(options: BoundOptions): BoundOptions {
    const { lastEventId } = this.#target;
    if (!this.#isFirst) return options;
    nextIteration(() => {
      this.#isFirst = false;
    });
    if (options.from !== undefined || lastEventId === undefined) return options;
    return { ...options, from: { after: startAfter(lastEventId) } };
  }

  #apply(): void {
    const change = this.#pending.shift();
    if (change === undefined) return;
    const { type, channels, options, position } = change;
    const { writer } = this.#owner;
    if (type === 'unsubscribe') this.#owner.unsubscribe(channels);
    // Its client resumes from here, and misses nothing of these channels.
    else if (writer.isClosing) writer.close(position);
    else this.#subscribe(channels, options, position);
  }

  #subscribe(channels: readonly string[], options: BoundOptions, position: Position): void {
    try {
      const names = channels.filter(name => !this.#subscriptions.has(name) && !this.#isEndedLater(name));
      if (names.length > 0) this.#owner.subscribeAt(names, options, position);
    } catch (error) {
      this.#target.report(error, 'subscribe');
    }
  }

  /** The state of a channel is not asked for when the end of the subscription is known. */
  #isEndedLater(name: string): boolean {
    const isEnded = this.#pending.some(
      ({ type, channels }) => type === 'unsubscribe' && channels.includes(name),
    );
    return isEnded && this.#hasState(name);
  }

  #hasState(name: string): boolean {
    return this.#subscriptions.log.channels.get(name).hasState;
  }
}
