import type { ChannelLog } from '../log/channel-log.ts';
import type { Retention } from '../log/listener.ts';
import type { LogReader } from './reader/log-reader.ts';
import type { ChannelOpener } from './subscriptions/channel-opener.ts';

/**
 * Makes channels retain the entries that one stream needs: while it waits, and until the delivery that is scheduled
 * then. These entries are not trimmed.
 */
export class Retentions {
  readonly #reader: LogReader;
  readonly #opener: ChannelOpener;
  #isDeliveryScheduled = false;
  /** Most streams never wait. */
  #retained: [channel: ChannelLog, retention: Retention][] | undefined;

  constructor(reader: LogReader, opener: ChannelOpener) {
    this.#reader = reader;
    this.#opener = opener;
  }

  /** Nothing is retained, and no delivery is scheduled. */
  get isIdle(): boolean {
    return !this.#isDeliveryScheduled && this.#retained === undefined;
  }

  /** A delivery is scheduled. What was retained while the stream waited is retained until then. */
  deliveryScheduled(): void {
    this.#isDeliveryScheduled = true;
    this.update();
  }

  /** A delivery begins. After the first one, only this object retains entries for the stream. */
  deliveryBegins(): void {
    if (!this.#isDeliveryScheduled) return;
    this.#isDeliveryScheduled = false;
    for (const subscription of this.#reader.subscriptions) subscription.releaseStart();
    this.update();
  }

  /** A delivery has spent the time budget of an iteration, and continues in a later one. */
  deliveryContinues(): void {
    this.#isDeliveryScheduled = true;
    this.#retain();
  }

  /** Retains what the stream needs now. */
  update(): void {
    const { phase } = this.#opener;
    const isDue = this.#isDeliveryScheduled && (this.#reader.hasBackfill || this.#retained !== undefined);
    const isNeeded =
      phase === 'adding' || (phase === 'live' && (isDue || this.#opener.isHolding || this.#reader.isWaiting));
    if (isNeeded) this.#retain();
    else this.release();
  }

  #retain(): void {
    this.release();
    this.#retained = this.#reader.subscriptions.map(subscription => {
      const retention = { start: this.#reader.neededAfter(subscription) };
      subscription.channel.retentions.add(retention);
      return [subscription.channel, retention];
    });
  }

  release(): void {
    for (const [channel, retention] of this.#retained ?? []) channel.retentions.delete(retention);
    this.#retained = undefined;
  }
}
