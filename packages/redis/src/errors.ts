import { TidingsError } from '@tidings/core';

/** The connection was lost before the reply. The server may have run the command, or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** A call has failed and is not retried. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  /** Whether some attempt got no reply, so that the server may have run it. */
  readonly mayHaveRun: boolean;

  constructor(cause: unknown, mayHaveRun: boolean) {
    super(explain(cause), { cause });
    this.mayHaveRun = mayHaveRun;
  }
}

/** A call that cannot be completed because the connection was lost, or the epoch has changed. */
export function interrupted(): CallFailed {
  return new CallFailed(new Error('the subscription was interrupted: try again'), false);
}

/** Whether an error is an error reply of the server: a word in capitals, then a sentence. */
export function isErrorReply(error: unknown): error is Error {
  return error instanceof Error && !(error instanceof TidingsError) && /^[A-Z][A-Z0-9]+ /.test(error.message);
}

/** Turns the error of a call into one for the hub. */
export function toBrokerError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  if (error instanceof CallFailed && error.cause instanceof TidingsError) return error.cause;
  return new TidingsError('broker', `Redis cannot be used: ${explain(error)}`, { cause: error });
}

/** The message of an error, followed by those of its causes. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}
