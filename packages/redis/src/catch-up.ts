import type { Entry, Position } from '@tidings/core';
import { interrupted } from './call-failed.ts';
import { chunks } from './chunks.ts';
import type { Inbox } from './inbox.ts';
import type { Store } from './store.ts';

/** How far a channel has been read. */
interface Cursor {
  channel: string;
  after: Position;
  entries: Entry[];
  more: boolean;
}

/**
 * Gives the sink what it has not been given of some channels, up to a position: read in pages, and put in one order.
 * What has left the history is reported before anything newer is given.
 */
export async function catchUp(
  inbox: Inbox,
  store: Store,
  channels: readonly string[],
  head: Position,
  timeout: number,
): Promise<void> {
  const { life } = inbox;
  let cursors = channels.map((channel): Cursor => {
    return { channel, after: inbox.holes.get(channel) ?? inbox.given, entries: [], more: true };
  });
  while (cursors.length > 0) {
    const lost: string[] = [];
    const empty = cursors.filter(({ entries }) => entries.length === 0);
    for (const slice of chunks(empty)) {
      const wants = slice.map(({ channel, after }) => [channel, after] as const);
      const { pages } = await store.read({ wants, until: head }, AbortSignal.timeout(timeout));
      if (life !== inbox.life) throw interrupted();
      for (const cursor of slice) {
        const page = pages.get(cursor.channel);
        if (page === undefined) continue;
        // What is older than what others were given cannot be given any more.
        cursor.entries = page.entries.filter(({ position }) => position > inbox.given);
        cursor.more = page.more;
        if (page.floor > cursor.after || cursor.entries.length < page.entries.length)
          lost.push(cursor.channel);
        cursor.after = page.entries.at(-1)?.position ?? cursor.after;
      }
    }
    inbox.lost(lost);
    // Up to here every channel has been read.
    const upto = Math.min(head, ...cursors.filter(({ more }) => more).map(({ after }) => after));
    const next: Entry[] = [];
    for (const cursor of cursors) {
      const count = cursor.entries.findIndex(({ position }) => position > upto);
      next.push(...cursor.entries.splice(0, count === -1 ? cursor.entries.length : count));
    }
    inbox.give(next.sort((one, other) => one.position - other.position));
    cursors = cursors.filter(({ entries, more }) => entries.length > 0 || more);
  }
}
