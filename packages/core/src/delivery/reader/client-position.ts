import type { IdSuffix, Position } from '../../protocol/event-id.ts';
import type { Frame } from '../../protocol/frame.ts';
import { createMarker } from '../../protocol/marker.ts';
import type { Subscriptions } from '../subscriptions/subscriptions.ts';

/** How far one stream is in the log, how far its client knows of it, and the markers that tell the client. */
export class ClientPosition {
  /** Everything up to here that the stream was to receive has been written. Only grows. */
  position: Position = 0;
  /** Position of the last id that the client was sent. `backfill`: that id ends in `~`. Undefined: none was sent. */
  lastIdSent: Position | 'backfill' | undefined;
  readonly #subscriptions: Subscriptions;
  readonly #stream: { readonly hasMarkers: boolean };

  constructor(subscriptions: Subscriptions, stream: { readonly hasMarkers: boolean }) {
    this.#subscriptions = subscriptions;
    this.#stream = stream;
  }

  /** Nothing up to a position is for this stream. */
  reach(position: Position): void {
    this.position = Math.max(this.position, position);
  }

  /**
   * A marker at the position, if the client receives markers.
   *
   * @param event its name. Default: that of markers.
   */
  mark(suffix: IdSuffix, event?: string): Frame | undefined {
    if (!this.#stream.hasMarkers) return undefined;
    this.lastIdSent = this.position;
    return createMarker(this.#subscriptions.log.id(this.position, suffix), { event });
  }

  /** A marker at the position of the log, if the client's last id is older. To be called when it has caught up. */
  headMarker(event?: string): Frame | undefined {
    const { list } = this.#subscriptions;
    // Where nothing is subscribed, the client keeps its id: it may be ahead of this process.
    if (list.length === 0 || list.some(subscription => subscription.hasNewer(this.position)))
      return undefined;
    this.reach(this.#subscriptions.log.deliveredUpTo);
    return this.lastIdSent === this.position ? undefined : this.mark('', event);
  }

  /**
   * A marker, if the client has no id yet, or one that trimming may soon pass: a filter or `except` can skip everything
   * that a channel retains, and the client would get a reset for what it was not to receive.
   */
  dueMarker(): Frame | undefined {
    const { lastIdSent } = this;
    if (this.#subscriptions.list.length === 0 || lastIdSent === this.position) return undefined;
    const isDue = typeof lastIdSent !== 'number' || this.#subscriptions.areAboutToTrim(lastIdSent);
    return isDue ? this.mark('') : undefined;
  }

  clear(): void {
    this.position = 0;
    this.lastIdSent = undefined;
  }
}
