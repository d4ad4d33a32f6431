/** An id of Tidings: epoch, position, and `~` during a backfill or `.` at the end. */
const ID = /^(.+)-(\d+)([~.]?)$/;
const SUFFIXES = ['~', '', '.'];

/**
 * Compares two ids.
 *
 * @returns a negative number, 0 or a positive number; between -1 and 1 if only the suffixes differ. NaN if the order is
 *   unknown: the ids have different epochs, or are not from Tidings.
 */
export function compare(a: string, b: string): number {
  if (a === b) return 0;
  const [, epochA, positionA, suffixA = ''] = ID.exec(a) ?? [];
  const [, epochB, positionB, suffixB = ''] = ID.exec(b) ?? [];
  if (epochA === undefined || epochA !== epochB) return Number.NaN;
  return Number(positionA) - Number(positionB) || (SUFFIXES.indexOf(suffixA) - SUFFIXES.indexOf(suffixB)) / 4;
}
