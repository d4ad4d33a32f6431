import { checkType, invalid } from '../../base/option-checks.ts';
import type { NewEntry } from '../../log/entry.ts';
import { dataText, type EventFields, fieldText, isJson } from '../../protocol/event.ts';
import type { PublishFields } from '../hub-channel.ts';

/** Fields that `send()` accepts and `publish()` does not. */
type Refused = Pick<EventFields, 'id' | 'retry'>;

/**
 * Turns the arguments of `publish` into an entry, and checks them before the entry has a position.
 *
 * @throws {TidingsError} `invalid-field`, naming the field.
 * @throws {TypeError} the data cannot be sent.
 */
export function readPublished(data: unknown, fields: PublishFields = {}): Omit<NewEntry, 'channel'> {
  checkType('fields', 'object', fields, 'invalid-field');
  const { event, key, gone = false, except, id, retry } = fields as PublishFields & Refused;
  if (id !== undefined) throw invalid('id', 'left out: the hub assigns the ids', id, 'invalid-field');
  if (retry !== undefined)
    throw invalid('retry', 'left out: it applies to one stream only', retry, 'invalid-field');
  if (event !== undefined) fieldText('event', event);
  checkType('key', 'string', key, 'invalid-field');
  checkType('gone', 'boolean', gone, 'invalid-field');
  const text = dataText(data);
  const kind = gone ? 'gone' : 'event';
  return { kind, event, key, except: nameIn(except), json: isJson(data), data: text };
}

function nameIn(except: PublishFields['except']): string | undefined {
  if (except === undefined) return undefined;
  const name: unknown = typeof except === 'string' ? except : except?.id;
  if (typeof name === 'string') return name;
  throw invalid('except', 'a stream, the id of one, or a client', except, 'invalid-field');
}
