/** The position of an event in the log of its hub. The first event has 1; 0 is before the first event. */
export type Position = number;

/**
 * - `~`: sent during a backfill, or before the last of several resets. A client with this id has received only a part.
 * - `.`: all channels of the client have ended, and the client has received all their events.
 */
export type IdSuffix = '' | '~' | '.';

export interface EventId {
  epoch: string;
  position: Position;
  suffix: IdSuffix;
}

const ID = /^([0-9a-z]{1,40})-(0|[1-9][0-9]{0,15})([~.]?)$/;

/**
 * The id for a client whose position is unknown, because its stream ended before the hub had the position of the
 * broker's log. No epoch is named `0`, so the client receives a reset when it reconnects.
 */
export const UNKNOWN_ID = '0-0';

/** Formats a position as an event id. */
export function formatId(epoch: string, position: Position, suffix: IdSuffix = ''): string {
  return `${epoch}-${position}${suffix}`;
}

/** Parses an event id. Returns undefined if {@link formatId} cannot have created it. */
export function parseId(id: string): EventId | undefined {
  const match = ID.exec(id);
  const position = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(position)) return undefined;
  return { epoch: match[1] as string, position, suffix: match[3] as IdSuffix };
}

/** Whether the client's last connection broke during a backfill, so that it has received only part of the backfill. */
export function isInterrupted(lastEventId: string | undefined): boolean {
  return lastEventId?.endsWith('~') === true;
}

/**
 * The id after which a client with this id resumes a newly added channel. During a backfill the result is
 * {@link UNKNOWN_ID}, because the id does not say which part of the backfill the client has received.
 */
export function startAfter(lastEventId: string): string {
  return isInterrupted(lastEventId) ? UNKNOWN_ID : lastEventId;
}

/**
 * Creates a random name for an epoch of a hub, which distinguishes its positions from those of other epochs. 48 bits
 * only, because it is sent with every event.
 */
export function createEpoch(): string {
  return crypto.randomUUID().slice(-12);
}
