import { TidingsError, type TidingsErrorCode } from './errors.ts';

/** What is said of an option, or a field, that has a value it cannot have. */
export function invalid(
  name: string,
  expected: string,
  value: unknown,
  code: TidingsErrorCode = 'invalid-option',
): TidingsError {
  return new TidingsError(code, `${name} must be ${expected}; got ${show(value)}`);
}

/** Whether it can have options, or fields. */
export function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is an integer of 0 or more. */
export function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A value as error messages show it, whatever it is. */
export function show(value: unknown): string {
  const text = describe(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (value === null || (typeof value !== 'object' && typeof value !== 'string')) return String(value);
  try {
    const json = JSON.stringify(value);
    // What says that it is null, as an invalid Date does, is not.
    if (json !== undefined && json !== 'null') return json;
  } catch {
    // It has a cycle, a BigInt, or a toJSON that fails.
  }
  return 'an object';
}
