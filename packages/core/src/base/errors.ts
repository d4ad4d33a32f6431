/** The codes of {@link TidingsError}, for programs. */
export type TidingsErrorCode =
  /** The response already has a stream. Use the one that the first call returned. */
  | 'already-open'
  /** The response headers were sent already, so the response cannot become a stream. */
  | 'head-sent'
  /** The `id`, `event` or `retry` of an event is not valid. */
  | 'invalid-field'
  /** The value of an option is not valid. */
  | 'invalid-option'
  /** `authorize` refused a channel, or did not settle in time. */
  | 'not-authorized'
  /** The channel has ended: nothing can be published to it. */
  | 'ended'
  /** The hub is closed. */
  | 'closed'
  /** The broker did not store the event. It can be published again. */
  | 'not-stored'
  /** The broker did not respond in time. The event may be stored or not. */
  | 'maybe-stored'
  /** The broker cannot be reached, or its configuration does not work. The message says which, and what to change. */
  | 'broker';

/**
 * The error class of Tidings. Test `code`, not `instanceof`: an application can load this class twice, as ESM and as
 * CommonJS.
 */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  readonly code: TidingsErrorCode;

  constructor(code: TidingsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The code of a TidingsError, as a label of metrics. Other errors are `unknown`, so that the number of labels is
 * bounded.
 */
export function errorCode(error: unknown): string {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return name === 'TidingsError' && typeof code === 'string' ? code : 'unknown';
}
