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
 * Returns the hub of an adapter's `sse()`: `options.hub`, or a new one. It refuses everything else, such as `sse(hub)`:
 * the streams would have another hub than the one that the application publishes to, and nothing would arrive.
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

/** Without a class. An `Object.prototype` of another realm counts too. */
function isPlain(value: unknown): boolean {
  if (!isObject(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
