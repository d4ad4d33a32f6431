import { TidingsError } from '@tidings/core';

/** The connection was lost before the reply. The server may have run the command, or not. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** A call has failed, and is not retried. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  /** Whether an attempt got no reply, so that the server may have run the call. */
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

/** Converts the error of a call into an error for the hub. */
export function toBrokerError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  const setting = findSetting(error);
  if (setting !== undefined) return setting;
  return new TidingsError('broker', `Redis cannot be used: ${explain(error)}`, { cause: error });
}

const PERMISSIONS = 'give the user the permissions in the README of @tidings/redis ("Permissions (ACL)")';
const PASSWORD = 'check the user name and the password of the client';
const AUTHORITY =
  'pass its certificate authority to the client, as `socket.ca` (redis) or `tls.ca` (ioredis)';

/** Advice for the user, by the beginning of an error reply's message, or by the code of a Node.js error. */
const ADVICE: readonly [cause: RegExp, advice: string][] = [
  [/^NOPERM |^ERR The user executing the script can't run/, PERMISSIONS],
  [/^(WRONGPASS|NOAUTH) |^ERR (invalid password|AUTH )/, PASSWORD],
  [/^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+)$/, AUTHORITY],
  [/^CERT_HAS_EXPIRED$/, 'renew the certificate of Redis'],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'connect with a host name that is in the certificate of Redis'],
  [
    /^ERR_SSL_WRONG_VERSION_NUMBER$|^ERR_SSL_PACKET_LENGTH_TOO_LONG$/,
    'the server has no TLS on this port: use redis://',
  ],
];

/**
 * Searches an error and its causes for one that a retry does not fix. Returns it as a TidingsError with advice.
 * Undefined if there is none.
 */
export function findSetting(error: unknown): TidingsError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof TidingsError) return cause;
    // The message of a CallFailed is that of its cause.
    if (cause instanceof CallFailed) continue;
    const { code } = cause as { code?: unknown };
    for (const [pattern, advice] of ADVICE) {
      if (!pattern.test(cause.message) && !pattern.test(String(code))) continue;
      return new TidingsError('broker', `Redis cannot be used: ${cause.message}: ${advice}`, { cause });
    }
  }
  return undefined;
}

/** The message of an error, followed by the messages of its causes. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${explain(error.cause)}`;
}
