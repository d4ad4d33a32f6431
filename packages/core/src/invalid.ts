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

/**
 * A value as error messages show it, whatever it is. Of an object only what it has, not what is in there: messages end
 * in logs, and what is given by mistake may be a user with a password.
 */
export function show(value: unknown): string {
  const text = Array.isArray(value) ? `[${value.map(describe).join(', ')}]` : describe(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  const names = Object.keys(value);
  return names.length > 0 ? `an object with ${names.join(', ')}` : 'an object';
}
