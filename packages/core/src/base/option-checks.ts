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
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws {TidingsError} naming what has a value, and one of another type. */
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

/** @throws {TidingsError} naming what is no integer of at least `least`, nor Infinity. */
export function readCount(name: string, value: number | undefined, standard: number, least = 0): number {
  if (value === undefined) return standard;
  if (value === Number.POSITIVE_INFINITY || (isWhole(value) && value >= least)) return value;
  throw invalid(name, `an integer, ${least} or more, or Infinity`, value);
}

/** @throws {TidingsError} naming what is no time; `false` is one that never ends. */
export function readDuration(name: string, value: number | false | undefined, standard: number): number {
  if (value === false) return Number.POSITIVE_INFINITY;
  if (value === undefined) return standard;
  if (typeof value === 'number' && value > 0) return value;
  throw invalid(name, 'a number of ms above 0, or false', value);
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
