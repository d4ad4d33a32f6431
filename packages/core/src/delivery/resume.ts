import type { ChannelState } from '../log/channel-log.ts';
import type { Log } from '../log/log.ts';
import { type EventId, type Position, parseId } from '../protocol/event-id.ts';
import type { ResetReason } from '../protocol/reset.ts';
import type { Subscription } from './subscription.ts';

/** Where a stream stands when it begins, and what its client has to be told first. */
export interface Start {
  readonly position: Position;
  /** It is where its client left. */
  readonly isResumed: boolean;
  /** Why what is `lost` is. */
  readonly reason: ResetReason;
  readonly lost: readonly Subscription[];
}

/**
 * Finds where the client of a stream left, and gives those subscriptions their start for which the application has
 * named no id to begin after.
 *
 * @returns undefined: every channel has ended, and the client says that it has had it all.
 */
export function findStart(
  log: Log,
  subscriptions: readonly Subscription[],
  lastEventId: string | undefined,
): Start | undefined {
  const id = parseId(lastEventId ?? '');
  if (
    id?.suffix === '.' &&
    subscriptions.length > 0 &&
    subscriptions.every(({ channel }) => isOver(log, channel, id))
  )
    return undefined;
  const free = subscriptions.filter(({ after }) => after === undefined);
  const losses = () => free.filter(subscription => subscription.isLost());
  const left = log.positionOf(lastEventId ?? '');
  if (left !== undefined) {
    // Cut in the middle of a backfill: nobody can tell which of it has arrived.
    if (id?.suffix === '~')
      return { position: left, isResumed: false, reason: 'interrupted', lost: subscriptions };
    for (const subscription of free) subscription.resume(left);
    return { position: left, isResumed: true, reason: 'history', lost: losses() };
  }
  for (const subscription of free) {
    if (lastEventId !== undefined && subscription.options.from === undefined) {
      subscription.start = subscription.channel.history.floor;
    }
    subscription.startAtSnapshot(log.head);
  }
  const position = subscriptions.reduce((highest, { start }) => Math.max(highest, start), 0);
  if (lastEventId !== undefined) return { position, isResumed: false, reason: 'unknown', lost: free };
  // It has just been published, to a channel that keeps nothing, and that no node had asked a broker for.
  return { position, isResumed: false, reason: 'history', lost: losses() };
}

/** Whether there is nothing after an id that says its client has had all of a channel. */
function isOver(log: Log, { history, endedAt }: ChannelState, { epoch, position }: EventId): boolean {
  if (history.isBlank) return true;
  return endedAt !== undefined && epoch === log.epoch && endedAt <= position;
}
