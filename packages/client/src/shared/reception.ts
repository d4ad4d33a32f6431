import { compare } from '../position.ts';
import type { Relay, RelayedEvent } from './messages.ts';
import type { Parts } from './parts.ts';

/** Stands for the position of a connection that has received events without ids: it is not known what a tab lacks. */
export const WITHOUT_IDS = '?';

/** What one tab has received, from a connection of its own or from the leader: each event once. */
export class Reception {
  lastEventId: string;
  readonly #parts: Parts;
  /** The term and number of the relay that comes next. */
  #next = '';

  constructor(parts: Parts) {
    this.#parts = parts;
    this.lastEventId = parts.position;
  }

  /**
   * Whether there is no gap between what this tab has and a relay.
   *
   * @param isFollowing the tab has received what was relayed before.
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
      // After a reset, what follows its id is received again. An event is older also at the same position with a backfill
      // under way: it has come before that.
      if (isNotice || !(compare(id, this.lastEventId) < 1)) this.lastEventId = id;
      else if (!this.#parts.control?.lacks(event)) return;
    }
    this.#parts.receiver.receive(event);
  }

  /** Not back; but from a position to a backfill at the same, and to another epoch. */
  moveTo(id: string): void {
    if (id !== WITHOUT_IDS && !(compare(id, this.lastEventId) <= -1)) this.lastEventId = id;
  }
}
