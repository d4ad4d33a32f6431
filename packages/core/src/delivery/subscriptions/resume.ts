import type { ChannelLog } from '../../log/channel-log.ts';
import type { Log } from '../../log/log.ts';
import { type EventId, isInterrupted, type Position, parseId } from '../../protocol/event-id.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { Subscription } from './subscription.ts';

/** Where a stream begins, and what its client has to be told first. */
export interface Start {
  readonly position: Position;
  /** The client resumes after the last event it has received. */
  readonly isResumed: boolean;
  /** Subscriptions whose client gets a reset, and why. */
  readonly lost: readonly Subscription[];
  readonly reason: ResetReason;
  /** Subscriptions that begin where the application says. */
  readonly ownStarts: readonly Subscription[];
}

/**
 * Finds where a stream begins, and gives each subscription its start.
 *
 * @param lastEventId the id that the client sent; undefined if it sent none.
 * @returns undefined if every channel has ended and the client says that it has received everything.
 */
export function findStart(
  log: Log,
  subscriptions: readonly Subscription[],
  lastEventId: string | undefined,
): Start | undefined {
  const id = parseId(lastEventId ?? '');
  if (id?.suffix === '.' && subscriptions.length > 0 && !subscriptions.some(({ isLate }) => isLate)) {
    if (subscriptions.every(({ channel }) => isFinished(log, channel, id))) return undefined;
  }
  const last = log.positionOf(lastEventId);
  const beginning = { lastEventId, last };
  for (const subscription of subscriptions) subscription.resolveStart(log, beginning);
  const ownStarts: Subscription[] = [];
  const others: Subscription[] = [];
  for (const each of subscriptions) (each.hasOwnStart(log, beginning) ? ownStarts : others).push(each);
  const gaps = () => others.filter(each => each.channel.reportsLoss && each.hasGap());
  if (last !== undefined) {
    for (const each of others) if (each.resumesAfter(lastEventId)) each.resume(last);
    if (isInterrupted(lastEventId)) {
      const lost = subscriptions.filter(({ channel }) => channel.reportsLoss);
      return { position: last, isResumed: false, reason: 'interrupted', lost, ownStarts };
    }
    return { position: last, isResumed: true, reason: 'history', lost: gaps(), ownStarts };
  }
  for (const subscription of others) {
    if (lastEventId !== undefined && subscription.isByDefault)
      subscription.start = subscription.channel.retainedAfter;
    if (subscription.wantsState) subscription.requestSnapshot(log.head);
  }
  const position = subscriptions.reduce((highest, { start }) => Math.max(highest, start), 0);
  if (lastEventId !== undefined) {
    const lost = others.filter(({ channel }) => channel.reportsLoss);
    return { position, isResumed: false, reason: 'unknown', lost, ownStarts };
  }
  // An event may have been published just now, to a channel without history that had not been opened here.
  return { position, isResumed: false, reason: 'history', lost: gaps(), ownStarts };
}

/** Whether a channel has nothing after an id with which a client says that it has received everything. */
function isFinished(log: Log, channel: ChannelLog, { epoch, position }: EventId): boolean {
  const { history, endedAt, listeners, rememberedUpTo } = channel;
  const isOfEpoch = epoch === log.epoch;
  if (endedAt !== undefined && isOfEpoch && endedAt <= position) return true;
  // Its events are not known any more. If other streams follow it, it may just not have had an event yet.
  return history.isBlank && listeners.size <= 1 && (!isOfEpoch || rememberedUpTo <= position);
}
