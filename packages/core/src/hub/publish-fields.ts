import { TidingsError } from '../errors.ts';
import { dataText, type EventFields, encode } from '../event.ts';
import { invalid, isObject } from '../invalid.ts';
import type { Entry } from '../log/entry.ts';
import type { PublishFields } from './hub-channel.ts';

/** What `send()` takes, and `publish()` does not. */
type Refused = Pick<EventFields, 'id' | 'retry'>;

/**
 * What is published, as an entry of its channel. Throws what is wrong with it, before it has a position.
 *
 * @throws {TidingsError} `invalid-field`, naming the field.
 * @throws {TypeError} the data cannot be sent.
 */
export function readPublished(
  data: unknown,
  fields: PublishFields = {},
): Omit<Entry, 'channel' | 'position'> {
  if (!isObject(fields)) throw invalid('fields', 'an object', fields, 'invalid-field');
  const { event, key, gone = false, except, id, retry } = fields as PublishFields & Refused;
  if (id !== undefined) throw refused('id must not be set on what is published: ids are positions');
  if (retry !== undefined) throw refused('retry must not be set on what is published: it is for one stream');
  if (event !== undefined) encode('', { event });
  if (key !== undefined && typeof key !== 'string') throw invalid('key', 'a string', key, 'invalid-field');
  if (typeof gone !== 'boolean') throw invalid('gone', 'a boolean', gone, 'invalid-field');
  return { kind: gone ? 'gone' : 'event', event, key, except: nameIn(except), data: dataText(data) };
}

function nameIn(except: PublishFields['except']): string | undefined {
  if (except === undefined) return undefined;
  const name: unknown = typeof except === 'string' ? except : except?.id;
  if (typeof name === 'string') return name;
  throw invalid('except', 'a stream, the id of one, or a client', except, 'invalid-field');
}

function refused(message: string): TidingsError {
  return new TidingsError('invalid-field', message);
}
