import { isThenable } from '../base/deferred.ts';
import type { TidingsErrorCode } from '../base/errors.ts';
import { invalid, isWhole } from '../base/option-checks.ts';

/** The fields of an event besides its data. */
export interface EventFields {
  /** The name of the event, as in `addEventListener`. Default: `message`. No CR, LF or NUL. */
  event?: string | undefined;
  /**
   * The id of the event. The client sends it as `Last-Event-ID` when it reconnects. `''` clears the client's last id.
   * No CR, LF or NUL.
   */
  id?: string | undefined;
  /** ms that the client waits before it reconnects, from now on. An integer of 0 or more. */
  retry?: number | undefined;
}

/** One event, in the terms of the standard (WHATWG HTML 9.2). */
export interface ServerSentEvent extends EventFields {
  /**
   * A string is sent as it is, bytes (Uint8Array, Buffer, ArrayBuffer) as UTF-8 text, anything else as JSON, with
   * U+0085, U+2028 and U+2029 escaped.
   * `undefined`, functions, symbols and promises are a TypeError.
   */
  data: unknown;
}

const LINE_BREAK = /\r\n|\n|\r/;
const FORBIDDEN_IN_FIELD = /[\r\n\0]/;
/** Created on first use: Jest's jsdom environment has no TextDecoder. */
let utf8: InstanceType<typeof TextDecoder> | undefined;

/**
 * Encodes one event as text, including the blank line at its end. A client parses the result as exactly this one event,
 * whatever the data contains (WHATWG HTML 9.2.6).
 *
 * @throws {TidingsError} `invalid-field`: `id` or `event` has a CR, LF or NUL, or `retry` is not an integer of 0 or
 *   more.
 * @throws {TypeError} `data` is undefined, a function, a symbol, a promise, or cannot be JSON.
 */
export function encodeEvent(event: ServerSentEvent): string {
  return encode(event.data, event);
}

/**
 * The channel and position of a published event, sent as extra fields. Clients ignore them; @tidings/client reads them.
 */
export interface Origin {
  readonly channel: string;
  /** The event's id, if the event is sent without an `id` field. */
  readonly position?: string | undefined;
}

/** Like {@link encodeEvent}, with the data as a separate argument. */
export function encode(data: unknown, fields?: EventFields, origin?: Origin): string {
  let text = origin === undefined ? '' : originLines(origin);
  let id = '';
  if (fields !== undefined) {
    // The id is the last field. Some clients store it as soon as they read its line (eventsource 2, fetch-event-source,
    // Datastar). If the connection broke between the id and the data, they would resume after an event that they never
    // dispatched.
    if (fields.id !== undefined) id = `id: ${fieldText('id', fields.id)}\n`;
    if (fields.event !== undefined) text += `event: ${fieldText('event', fields.event)}\n`;
    if (fields.retry !== undefined) text += retryLine(fields.retry);
  }
  const own = ownText(data);
  // JSON has no line breaks, and no lone surrogates (ECMA-262, QuoteJSONString).
  return own === undefined
    ? `${text}data: ${jsonText(data)}\n${id}\n`
    : `${text}${lines('data: ', own)}${id}\n`;
}

/** Encodes an SSE comment, without a blank line. */
export function encodeComment(text: string): string {
  return text === '' ? ':\n' : lines(': ', text);
}

/** Encodes a reconnection time without an event. Clients apply it at once and dispatch no event. */
export function encodeRetry(retry: number): string {
  return `${retryLine(retry)}\n`;
}

function retryLine(retry: number): string {
  if (!isWhole(retry)) throw invalid('retry', 'an integer of ms, 0 or more', retry, 'invalid-field');
  return `retry: ${retry}\n`;
}

/** A channel whose name contains a line break has no `channel` field, because the line break would end the field. */
function originLines({ channel, position }: Origin): string {
  const name = LINE_BREAK.test(channel) ? '' : `channel: ${channel}\n`;
  return position === undefined ? name : `${name}position: ${position}\n`;
}

/** Checks the value of `id` or `event`, and replaces lone surrogates. */
export function fieldText(name: string, value: string, code: TidingsErrorCode = 'invalid-field'): string {
  if (typeof value !== 'string' || FORBIDDEN_IN_FIELD.test(value)) {
    // A line break would end the field and begin another. Clients ignore an id with a NUL.
    throw invalid(name, 'a string without CR, LF or NUL', value, code);
  }
  return value.toWellFormed();
}

/** Whether data is encoded as JSON. */
export function isJson(data: unknown): boolean {
  return typeof data !== 'string' && !isBytes(data) && !isBuffer(data);
}

/** The text of an event's `data`, before it is split into lines. */
export function dataText(data: unknown): string {
  return ownText(data) ?? jsonText(data);
}

/** The text of strings and bytes; undefined for everything else. */
function ownText(data: unknown): string | undefined {
  if (typeof data === 'string') return data;
  if (!isBytes(data) && !isBuffer(data)) return undefined;
  utf8 ??= new TextDecoder('utf-8', { ignoreBOM: true });
  return utf8.decode(data);
}

function jsonText(data: unknown): string {
  if (isThenable(data)) throw new TypeError('data must not be a promise. Await it first.');
  const json = JSON.stringify(data);
  if (json === undefined) {
    throw new TypeError(
      `data must be a string, bytes, or a value that JSON can represent; got ${typeof data}`,
    );
  }
  return OTHER_LINE_BREAKS.test(json) ? json.replace(OTHER_LINE_BREAKS_ALL, escapeUnicode) : json;
}

/**
 * Unicode line breaks that the SSE standard does not treat as line breaks. `JSON.stringify` does not escape them, but
 * httpx and requests split lines with Python's `splitlines()`, which breaks at each of them.
 */
const OTHER_LINE_BREAKS = /[\u0085\u2028\u2029]/;
const OTHER_LINE_BREAKS_ALL = new RegExp(OTHER_LINE_BREAKS, 'g');

function escapeUnicode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** One field line for each line of the text, so that no line of the text is read as another field. */
function lines(prefix: string, value: string): string {
  const text = value.toWellFormed();
  if (!LINE_BREAK.test(text)) return `${prefix}${text}\n`;
  return `${prefix}${text.split(LINE_BREAK).join(`\n${prefix}`)}\n`;
}

function isBuffer(value: unknown): value is ArrayBuffer {
  return (value as { [Symbol.toStringTag]?: unknown } | null)?.[Symbol.toStringTag] === 'ArrayBuffer';
}

/** Compares the tag, because `instanceof` fails for bytes from another realm (jest, vm). */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && (value as Partial<Uint8Array>)[Symbol.toStringTag] === 'Uint8Array';
}
