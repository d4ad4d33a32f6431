import { compare } from '../position.ts';
import type { Relay, RelayedEvent } from './messages.ts';
import type { Parts } from './parts.ts';

/** The position of a connection whose events have no ids. It is unknown which events a tab lacks. */
export const WITHOUT_IDS = '?';

/** Receives the events of one tab, from its own connection or from the leader, and passes on each event once. */
export class Reception {
  lastEventId: string;
  readonly #parts: Parts;
  /** The term and number of the next relay. */
  #next = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    this.lastEventId = parts.position;
  }

  /**
   * Whether a relay continues the received events without a gap.
   *
   * @param isFollowing the tab has received the relays before.
   */
  joins({ term, n, before, channels }: Relay, isFollowing?: boolean): boolean {
    const isNext = isFollowing && this.#next === `${term} ${n}`;
    if (!isNext && !(compare(this.lastEventId, before) >= 0)) return false;
    return this.#parts.control?.isCovered(channels, isNext || n === 1 ? undefined : before) !== false;
  }

  /** Receives the events of a relay. */
  take({ term, n, channels, events, before, after }: Relay): void {
    this.#next = `${term} ${n + 1}`;
    this.#parts.control?.relay(channels, before);
    for (const event of events) this.receive(event);
    this.moveTo(after);
    this.#parts.receiver.arrived(after);
  }

  receive(event: RelayedEvent): void {
    const { id, isNotice } = event;
    if (id !== undefined) {
      // After a reset, events that follow its id are received again. During a backfill, an event at the current
      // position also counts as old: it has arrived before the backfill.
      if (isNotice || !(compare(id, this.lastEventId) < 1)) this.lastEventId = id;
      else if (!this.#parts.control?.lacks(event)) return;
    }
    this.#parts.receiver.receive(event);
  }

  /** Sets the position, except to an older one. A backfill at the same position and another epoch are not older. */
  moveTo(id: string): void {
    if (id !== WITHOUT_IDS && !(compare(id, this.lastEventId) <= -1)) this.lastEventId = id;
  }
}
