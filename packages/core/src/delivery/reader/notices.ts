import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Frame } from '../../protocol/frame.ts';
import { createMarker, createReset } from '../../protocol/marker.ts';
import type { Reset } from '../../protocol/reset.ts';

/** A reset, or the marker that precedes a backfill. */
type Notice = Reset | 'backfill';

/** What the client of one stream receives before everything else. Most streams have none. With `retry`, also if empty. */
export class Notices {
  /** ms to wait before reconnecting, sent with the first notice, or else with a marker. */
  retry: number | undefined;
  readonly #list: Notice[] = [];

  add(notice: Notice): void {
    this.#list.push(notice);
  }

  /** Creates the frames. Not earlier than they are written: whether there is a backfill may change until then. */
  encode(log: Log, position: Position, hasBackfill: boolean, resetEvent: string): Frame[] {
    const interrupted = log.id(position, '~');
    // A client that receives a reset before or within a backfill must not take the backfill for complete.
    const id = hasBackfill ? interrupted : log.id(position);
    if (this.#list.length === 0) return [createMarker(id, { retry: this.retry })];
    return this.#list.map((notice, index) => {
      const retry = index === 0 ? this.retry : undefined;
      if (notice === 'backfill') return createMarker(interrupted, { retry });
      return createReset(notice, id, resetEvent, retry);
    });
  }
}
