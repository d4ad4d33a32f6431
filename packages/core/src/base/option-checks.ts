import { TidingsError, type TidingsErrorCode } from './errors.ts';

/** Creates the error for an option or a field with an invalid value. */
export function invalid(
  name: string,
  expected: string,
  value: unknown,
  code: TidingsErrorCode = 'invalid-option',
): TidingsError {
  return new TidingsError(code, `${name} must be ${expected}; got ${show(value)}`);
}

/** Whether a value can be an options object. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws {TidingsError} naming the option, if it has a value of another type. */
export function checkType(
  name: string,
  type: 'object' | 'function' | 'string' | 'boolean',
  value: unknown,
  code?: TidingsErrorCode,
): void {
  const isRight = type === 'object' ? isObject(value) : typeof value === type;
  if (value !== undefined && !isRight)
    throw invalid(name, `${type === 'object' ? 'an' : 'a'} ${type}`, value, code);
}

/** @throws {TidingsError} naming the option, if it is neither an integer of at least `min` nor Infinity. */
export function readCount(name: string, value: number | undefined, fallback: number, min = 0): number {
  if (value === undefined) return fallback;
  if (value === Number.POSITIVE_INFINITY || (isWhole(value) && value >= min)) return value;
  throw invalid(name, `an integer, ${min} or more, or Infinity`, value);
}

/**
 * Reads a duration in ms. `false` becomes Infinity.
 *
 * @throws {TidingsError} naming the option, if it is neither a number above 0 nor `false`.
 */
export function readDuration(name: string, value: number | false | undefined, fallback: number): number {
  if (value === false) return Number.POSITIVE_INFINITY;
  if (value === undefined) return fallback;
  if (typeof value === 'number' && value > 0) return value;
  throw invalid(name, 'a number of ms above 0, or false', value);
}

/** Whether a value is an integer of 0 or more. */
export function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Formats any value for an error message. Of an object, only the property names are shown: messages end up in logs, and
 * an object that was passed by mistake may contain a password.
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
