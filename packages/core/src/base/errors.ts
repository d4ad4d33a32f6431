/** What went wrong, as a word a program can test. See {@link TidingsError.code}. */
export type TidingsErrorCode =
  /** The response already has a stream: keep the one the first call returned. */
  | 'already-open'
  /** The response's head has been sent, so it cannot become a stream any more. */
  | 'head-sent'
  /** An event's `id`, `event` or `retry` cannot go on the wire. */
  | 'invalid-field'
  /** An option has a value it cannot have. */
  | 'invalid-option'
  /** The channel has ended: nothing can be published to it. */
  | 'ended'
  /** The hub is closed. */
  | 'closed'
  /** The broker did not take what was published: it can be published again. */
  | 'not-stored'
  /** The broker did not answer in time: what was published may have been stored, or not. */
  | 'maybe-stored'
  /** The broker cannot be reached, or cannot be used as it is set up: the message says which, and what to change. */
  | 'broker';

/**
 * The one error class of Tidings. Test `code`, not `instanceof`: an application can hold two copies of this
 * class (ESM and CommonJS).
 */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  readonly code: TidingsErrorCode;

  constructor(code: TidingsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
