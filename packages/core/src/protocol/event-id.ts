/** The place of an event in the order of its hub: 1 and up; 0 is before the first. */
export type Position = number;

/**
 * - `~`: a backfill is under way: a client with this id has received part of it.
 * - `.`: the client has received everything, of channels that have ended.
 */
export type IdSuffix = '' | '~' | '.';

export interface EventId {
  epoch: string;
  position: Position;
  suffix: IdSuffix;
}

const ID = /^([0-9a-z]{1,40})-(0|[1-9][0-9]{0,15})([~.]?)$/;

/**
 * The id of a client whose position is unknown: its stream ended before the broker had told where the log is. No epoch
 * is called `0`, so the client receives a reset when it reconnects.
 */
export const UNKNOWN_ID = '0-0';

/** A position as it is sent to clients. */
export function formatId(epoch: string, position: Position, suffix: IdSuffix = ''): string {
  return `${epoch}-${position}${suffix}`;
}

/** Parses an id; undefined when {@link formatId} cannot have written it. */
export function parseId(id: string): EventId | undefined {
  const match = ID.exec(id);
  const position = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(position)) return undefined;
  return { epoch: match[1] as string, position, suffix: match[3] as IdSuffix };
}

/** Whether the connection of a client with this id broke during a backfill: it has received part of it. */
export function isInterrupted(lastEventId: string | undefined): boolean {
  return lastEventId?.endsWith('~') === true;
}

/**
 * Where other channels begin for a client with this id: after it, or nowhere known if the client is within a backfill,
 * since the id does not say which part it has received.
 */
export function startAfter(lastEventId: string): string {
  return isInterrupted(lastEventId) ? UNKNOWN_ID : lastEventId;
}

/**
 * A name for one epoch of a hub, so that a position of another epoch is recognised: 48 random bits, since it is sent
 * with every event.
 */
export function createEpoch(): string {
  return crypto.randomUUID().slice(-12);
}
