import { dataText, type EventFields, fieldText, ownText } from '../event.ts';
import { checkType, invalid } from '../invalid.ts';
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
  checkType('fields', 'object', fields, 'invalid-field');
  const { event, key, gone = false, except, id, retry } = fields as PublishFields & Refused;
  if (id !== undefined) throw invalid('id', 'left out: ids are positions', id, 'invalid-field');
  if (retry !== undefined) throw invalid('retry', 'left out: it is for one stream', retry, 'invalid-field');
  if (event !== undefined) fieldText('event', event);
  checkType('key', 'string', key, 'invalid-field');
  checkType('gone', 'boolean', gone, 'invalid-field');
  const text = ownText(data);
  const [json, encoded] = text === undefined ? [true, dataText(data)] : [false, text];
  return { kind: gone ? 'gone' : 'event', event, key, except: nameIn(except), json, data: encoded };
}

function nameIn(except: PublishFields['except']): string | undefined {
  if (except === undefined) return undefined;
  const name: unknown = typeof except === 'string' ? except : except?.id;
  if (typeof name === 'string') return name;
  throw invalid('except', 'a stream, the id of one, or a client', except, 'invalid-field');
}
