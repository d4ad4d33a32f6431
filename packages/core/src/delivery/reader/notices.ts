import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Frame } from '../../protocol/frame.ts';
import { createMarker, createReset } from '../../protocol/marker.ts';
import type { Reset } from '../../protocol/reset.ts';
import type { ClientPosition } from './client-position.ts';

/** A reset, or the marker that precedes a backfill. */
type Notice = Reset | 'backfill';

/** What the client of one stream receives before everything else. Most streams have none. */
export class Notices {
  /** `lastIdSent` before these were queued. Restored if all of them are removed. */
  readonly lastIdBefore: ClientPosition['lastIdSent'];
  #list: Notice[] = [];

  constructor(lastIdBefore: ClientPosition['lastIdSent']) {
    this.lastIdBefore = lastIdBefore;
  }

  add(notice: Notice): void {
    this.#list.push(notice);
  }

  get isEmpty(): boolean {
    return this.#list.length === 0;
  }

  /** Takes channels out of the resets. */
  remove(names: readonly string[]): void {
    this.#list = this.#list.flatMap(notice => {
      if (notice === 'backfill') return notice;
      const channels = notice.channels.filter(name => !names.includes(name));
      return channels.length > 0 ? { ...notice, channels } : [];
    });
  }

  /** The channels that no reset among these names. One is enough: nothing has been written since. */
  notYetReset(channels: readonly string[]): string[] {
    const isReset = (name: string) =>
      this.#list.some(notice => notice !== 'backfill' && notice.channels.includes(name));
    return channels.filter(name => !isReset(name));
  }

  /** Creates the frames. Not earlier than they are written: whether there is a backfill may change until then. */
  encode(log: Log, position: Position, hasBackfill: boolean, resetEvent: string): Frame[] {
    // Only the last id may have no `~`. A client that is disconnected earlier resumes with `~`, and receives a reset for
    // all its channels.
    const last = this.#list.length - 1;
    return this.#list.map((notice, index) => {
      const id = log.id(position, hasBackfill || index < last ? '~' : undefined);
      return notice === 'backfill' ? createMarker(id) : createReset(notice, id, resetEvent);
    });
  }
}
