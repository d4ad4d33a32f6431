import { TidingsError } from './errors.ts';
import { isObject, show } from './option-checks.ts';

/** The names of the options of a type. The argument has all of them: else it is a type error. */
export function optionNames<Options>(names: Record<keyof Options & string, true>): readonly string[] {
  return Object.keys(names);
}

/**
 * Checks that an object has known options only: a name that was misspelt would have no effect, and nobody would notice.
 *
 * @param prefix before the name, in the message: `limits.`.
 * @throws {TidingsError} `invalid-option`, naming the option and the nearest one that there is.
 */
export function checkNames(options: unknown, names: readonly string[], prefix = ''): void {
  if (!isObject(options)) return;
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const nearest = nearestName(name, names);
    const hint = nearest === undefined ? `the options are ${names.join(', ')}` : `did you mean ${nearest}?`;
    throw new TidingsError('invalid-option', `there is no option ${show(prefix + name)}: ${hint}`);
  }
}

/** The name that differs least, if that is not by more than a third of it. */
function nearestName(name: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const known of names) {
    const distance = editDistance(name.toLowerCase(), known.toLowerCase());
    if (distance < least) [nearest, least] = [known, distance];
  }
  return nearest;
}

/** How many characters have to be inserted, deleted or replaced (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
