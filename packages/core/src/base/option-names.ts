import { TidingsError } from './errors.ts';
import { isObject, show } from './option-checks.ts';

/** The names of the options of a type. TypeScript checks that none is missing. */
export function optionNames<Options>(names: Record<keyof Options & string, true>): readonly string[] {
  return Object.keys(names);
}

/**
 * Checks that an object has only known options. A misspelt option would otherwise have no effect.
 *
 * @param prefix prepended to the name in the message, such as `limits.`.
 * @throws {TidingsError} `invalid-option`, naming the unknown option and the most similar known one.
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

/** The most similar known name. Undefined if more than a third of the characters differ (at least 2 may differ). */
function nearestName(name: string, names: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let bound = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const known of names) {
    const distance = editDistance(name.toLowerCase(), known.toLowerCase());
    if (distance < bound) [nearest, bound] = [known, distance];
  }
  return nearest;
}

/** The Levenshtein distance: how many characters have to be inserted, deleted or replaced. */
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
