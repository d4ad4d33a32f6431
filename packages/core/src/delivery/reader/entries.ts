import type { LogEntry } from '../../log/entry.ts';
import type { Piece } from '../../log/pieces.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Subscriber, Subscription } from '../subscriptions/subscription.ts';
import type { ClientPosition } from './client-position.ts';
import { type MergeSource, merge } from './merge.ts';
import type { Next } from './next.ts';

/** The stream that entries are read for. */
export interface EntryReader {
  readonly subscriptions: readonly Subscription[];
  readonly client: ClientPosition;
  readonly stream: Subscriber;
  /** The last call has spent the time budget of an iteration. */
  isBudgetSpent: boolean;
}

/** Takes the next entries after the position of a stream, up to another position. */
export function takeEntries(reader: EntryReader, upTo: Position): Next {
  const { subscriptions, client } = reader;
  const ready =
    subscriptions.length > 1
      ? subscriptions.filter(subscription => subscription.hasNewer(client.position))
      : subscriptions;
  const [only] = ready;
  let shared: Piece | undefined;
  if (only !== undefined && ready.length === 1 && only.options.filter === undefined) {
    const piece = only.pieceAfter(client.position);
    if (piece?.frame === undefined) return reach(client, upTo);
    if (piece.last <= upTo) shared = piece;
    if (shared !== undefined && !piece.hasExceptions) {
      client.position = piece.last;
      client.lastIdSent = piece.lastSent;
      return piece.frame;
    }
  }
  // Several channels, a filter or exceptions: the frames are this stream's own.
  const { frame, isComplete, isBudgetSpent } = merge(ready.map(each => sourceOf(each, reader, upTo)));
  reader.isBudgetSpent = isBudgetSpent;
  // None of the exceptions is this stream: the same bytes, which others have, and which are compressed once.
  if (frame !== undefined && client.position === shared?.last && frame.length === shared.frame?.length) {
    return shared.frame;
  }
  // A filter may have subscribed, which ends the merge.
  return frame ?? (isComplete && reader.subscriptions === subscriptions ? reach(client, upTo) : 'more');
}

function sourceOf(subscription: Subscription, reader: EntryReader, upTo: Position): MergeSource {
  const { subscriptions, client } = reader;
  return {
    peek() {
      if (reader.subscriptions !== subscriptions) return undefined;
      return subscription.channel.entryAfter(subscription.offset(client.position), upTo);
    },
    take(entry: LogEntry) {
      if (reader.subscriptions !== subscriptions) return undefined;
      client.position = entry.position;
      if (!subscription.take(entry, reader.stream)) return undefined;
      client.lastIdSent = entry.position;
      return entry.frame;
    },
  };
}

/** Nothing up to there is for this stream. */
function reach(client: ClientPosition, position: Position): 'caught-up' {
  client.reach(position);
  return 'caught-up';
}
