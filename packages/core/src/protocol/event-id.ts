/** Where an event stands in its hub's order: 1 and up; 0 is before the first. */
export type Position = number;

/** `~`: cut in the middle of a backfill. `.`: everything there was, of channels that have ended. */
export type IdSuffix = '' | '~' | '.';

export interface EventId {
  epoch: string;
  position: Position;
  suffix: IdSuffix;
}

const ID = /^([0-9a-z]{1,40})-(0|[1-9][0-9]{0,15})([~.]?)$/;

/** A position as it stands on the wire. */
export function formatId(epoch: string, position: Position, suffix: IdSuffix = ''): string {
  return `${epoch}-${position}${suffix}`;
}

/** Reads an id; undefined when it is none that {@link formatId} writes. */
export function parseId(id: string): EventId | undefined {
  const match = ID.exec(id);
  const position = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(position)) return undefined;
  return { epoch: match[1] as string, position, suffix: match[3] as IdSuffix };
}

/**
 * A name for one life of a hub, so that a position from another life is recognised as such: 48 random bits, since it
 * goes out with every event.
 */
export function createEpoch(): string {
  return crypto.randomUUID().slice(-12);
}
