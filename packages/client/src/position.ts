/** An id of Tidings: epoch, position, and `~` during a backfill or `.` at the end. */
const ID = /^(.+)-(\d+)([~.]?)$/;
const SUFFIXES = ['~', '', '.'];

/**
 * Compares two ids.
 *
 * @returns negative, 0 or positive, between -1 and 1 if only the suffixes differ; NaN if their order is unknown: they are
 *   of different epochs, or not of Tidings.
 */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  const [, epochA, positionA, suffixA = ''] = ID.exec(a) ?? [];
  const [, epochB, positionB, suffixB = ''] = ID.exec(b) ?? [];
  if (epochA === undefined || epochA !== epochB) return Number.NaN;
  return Number(positionA) - Number(positionB) || (SUFFIXES.indexOf(suffixA) - SUFFIXES.indexOf(suffixB)) / 4;
}
