import { TidingsError } from '../base/errors.ts';
import { isObject, show } from '../base/option-checks.ts';
import { checkNames, optionNames } from '../base/option-names.ts';
import { createHub } from './create-hub.ts';
import type { Hub } from './hub.ts';

interface AdapterOptions {
  hub?: Hub | undefined;
}

const ADAPTER_OPTIONS = optionNames<AdapterOptions>({ hub: true });

/**
 * Returns the hub of an adapter's `sse()`: `options.hub`, or a new one. Every other argument is refused, such as
 * `sse(hub)`: the streams would belong to a new hub, and would not receive what the application publishes to its own.
 *
 * @throws {TidingsError} `invalid-option`: an unknown option, or no plain object.
 */
export function adapterHub(options: AdapterOptions): Hub {
  if (!isPlain(options)) {
    throw new TidingsError(
      'invalid-option',
      `sse() takes an object of options, as in sse({ hub }); got ${show(options)}`,
    );
  }
  checkNames(options, ADAPTER_OPTIONS);
  return options.hub ?? createHub();
}

/** Whether a value is an object without a class, of this or another realm. */
function isPlain(value: unknown): boolean {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
