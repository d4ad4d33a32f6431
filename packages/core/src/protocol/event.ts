import { isThenable } from '../base/deferred.ts';
import type { TidingsErrorCode } from '../base/errors.ts';
import { invalid, isWhole } from '../base/option-checks.ts';

/** The fields of an event beside its data. */
export interface EventFields {
  /** The name `addEventListener` is called with; absent: `message`. No CR, LF or NUL. */
  event?: string | undefined;
  /** What the client sends back as `Last-Event-ID`; `''` makes it forget the last one. No CR, LF or NUL. */
  id?: string | undefined;
  /** Milliseconds that the client waits before it reconnects, from here on: an integer, 0 or more. */
  retry?: number | undefined;
}

/** One event, in the terms of the standard (WHATWG HTML 9.2). */
export interface ServerSentEvent extends EventFields {
  /**
   * A string goes out as it is, bytes (Uint8Array, Buffer, ArrayBuffer) as UTF-8 text, anything else as JSON.
   * `undefined`, functions, symbols and promises are a TypeError.
   */
  data: unknown;
}

const LINE_BREAK = /\r\n|\n|\r/;
const FORBIDDEN_IN_FIELD = /[\r\n\0]/;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Encodes one event as the text that goes on the wire, closing blank line included. Whatever the data, the
 * result parses as exactly this one event (WHATWG HTML 9.2.6).
 *
 * @throws {TidingsError} `invalid-field`: `id` or `event` has a CR, LF or NUL, or `retry` is not an integer of 0 or more.
 * @throws {TypeError} `data` is undefined, a function, a symbol, a promise, or cannot be JSON.
 */
export function encodeEvent(event: ServerSentEvent): string {
  return encode(event.data, event);
}

/** {@link encodeEvent}, with the data apart from the other fields. */
export function encode(data: unknown, fields?: EventFields): string {
  let text = '';
  if (fields !== undefined) {
    if (fields.id !== undefined) text = `id: ${fieldText('id', fields.id)}\n`;
    if (fields.event !== undefined) text += `event: ${fieldText('event', fields.event)}\n`;
    if (fields.retry !== undefined) text += retryLine(fields.retry);
  }
  const own = ownText(data);
  // JSON has no line breaks, and no lone surrogates (ECMA-262, QuoteJSONString).
  return own === undefined ? `${text}data: ${jsonText(data)}\n\n` : `${text}${lines('data: ', own)}\n`;
}

/** Encodes a comment: no client dispatches it, every proxy passes it on. `''` is the shortest there is. */
export function encodeComment(text: string): string {
  if (text === '') return ':\n\n';
  return `${lines(': ', text)}\n`;
}

/** Encodes a reconnection time on its own: it counts at once, and dispatches nothing. */
export function encodeRetry(retry: number): string {
  return `${retryLine(retry)}\n`;
}

function retryLine(retry: number): string {
  if (!isWhole(retry)) throw invalid('retry', 'an integer of ms, 0 or more', retry, 'invalid-field');
  return `retry: ${retry}\n`;
}

/** What is sent as the value of a field, `id` or `event`. */
export function fieldText(name: string, value: string, code: TidingsErrorCode = 'invalid-field'): string {
  if (typeof value !== 'string' || FORBIDDEN_IN_FIELD.test(value)) {
    // A line break would end the field and begin another; with a NUL, clients ignore it.
    throw invalid(name, 'a string without CR, LF or NUL', value, code);
  }
  return value.toWellFormed();
}

/** Whether data is sent as JSON, and not as the text that it is. */
export function isJson(data: unknown): boolean {
  return typeof data !== 'string' && !isBytes(data) && !isBuffer(data);
}

/** Data as the text of an event. */
export function dataText(data: unknown): string {
  return ownText(data) ?? jsonText(data);
}

/** The text of data that is text itself. */
function ownText(data: unknown): string | undefined {
  if (typeof data === 'string') return data;
  return isBytes(data) || isBuffer(data) ? utf8.decode(data) : undefined;
}

function jsonText(data: unknown): string {
  if (isThenable(data)) throw new TypeError('data must not be a promise: await it first');
  const json = JSON.stringify(data);
  if (json === undefined) {
    throw new TypeError(`data must be a string, bytes or something JSON can say; got ${typeof data}`);
  }
  return json;
}

/** One field line for each line of the text: a line break of any kind must not start a field of its own. */
function lines(prefix: string, value: string): string {
  const text = value.toWellFormed();
  if (!LINE_BREAK.test(text)) return `${prefix}${text}\n`;
  return `${prefix}${text.split(LINE_BREAK).join(`\n${prefix}`)}\n`;
}

function isBuffer(value: unknown): value is ArrayBuffer {
  return (value as { [Symbol.toStringTag]?: unknown } | null)?.[Symbol.toStringTag] === 'ArrayBuffer';
}

/** By tag, since `instanceof` fails for bytes from another realm (jest, vm). */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Partial<Uint8Array>)[Symbol.toStringTag] === 'Uint8Array';
}
