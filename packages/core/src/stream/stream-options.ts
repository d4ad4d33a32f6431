import { TidingsError } from '../base/errors.ts';
import { checkType, invalid, isWhole, show } from '../base/option-checks.ts';
import { checkNames, optionNames } from '../base/option-names.ts';
import type { StreamHeaders, StreamOptions } from './event-stream.ts';

/** Headers that belong to the stream or to the connection. The application cannot set them. */
const RESERVED_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'connection',
  'keep-alive',
];

/** {@link StreamOptions} after the checks, with the headers as an object. */
export interface StreamSettings extends StreamOptions {
  headers: Record<string, string> | undefined;
}

const STREAM_OPTIONS = optionNames<StreamOptions>({
  client: true,
  data: true,
  retry: true,
  markers: true,
  headers: true,
  expiresAt: true,
});

/**
 * Checks the options of a stream.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readStreamOptions(options: StreamOptions): StreamSettings {
  checkType('options', 'object', options);
  checkNames(options, STREAM_OPTIONS);
  const { client, data, retry, markers, headers, expiresAt } = options;
  checkType('client', 'string', client);
  checkType('markers', 'boolean', markers);
  if (retry !== undefined && !isWhole(retry)) throw invalid('retry', 'an integer of ms, 0 or more', retry);
  if (expiresAt !== undefined) readExpiry(expiresAt);
  return { client, data, retry, markers, expiresAt, headers: headers && readHeaders(headers) };
}

/**
 * Returns the time of expiry in ms since 1970.
 *
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readExpiry(expiresAt: Date | number): number {
  if (Number(expiresAt) >= EARLIEST) return Number(expiresAt);
  throw invalid('expiresAt', 'a Date, or ms since 1970 (the exp of a JWT is in seconds)', expiresAt);
}

/**
 * ms since 1970. A smaller number is probably in seconds. If it was accepted, the stream would expire immediately after
 * every reconnect.
 */
const EARLIEST = 1e11;

/** Characters in the value of a header that the Fetch standard accepts but Node.js refuses. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

function readHeaders(headers: StreamHeaders): Record<string, string> {
  const checked = new Headers();
  for (const [name, value] of Symbol.iterator in headers ? headers : Object.entries(headers)) {
    if (value === undefined) continue;
    try {
      checked.set(name, value);
      if (UNSENDABLE.test(value)) throw new TypeError('a character outside Latin-1');
    } catch (cause) {
      throw new TidingsError(
        'invalid-option',
        `headers: the name or the value of ${show(name)} is not valid in HTTP`,
        { cause },
      );
    }
  }
  for (const name of RESERVED_HEADERS) checked.delete(name);
  return Object.fromEntries(checked);
}
