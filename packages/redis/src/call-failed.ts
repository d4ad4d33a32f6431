import { TidingsError } from '@tidings/core';

/** A call has failed for good. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  /** Some attempt had no answer: what it was to do may have been done. */
  readonly isUnknown: boolean;

  constructor(cause: unknown, isUnknown: boolean) {
    super(explain(cause), { cause });
    this.isUnknown = isUnknown;
  }
}

/** What was begun cannot be finished, because the connection is gone or the epoch is over. */
export function interrupted(): CallFailed {
  return new CallFailed(new Error('the subscription was interrupted: try again'), false);
}

/** What went wrong, with what that came from. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}

/** An error of a call, for the hub. */
export function asBrokerError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  return new TidingsError('broker', `Redis cannot be used: ${explain(error)}`, { cause: error });
}
