import { TidingsError } from '@tidings/core';

/** The primary result codes of SQLite that make a difference here. */
const NAMES: Record<number, string> = {
  5: 'BUSY',
  6: 'LOCKED',
  8: 'READONLY',
  10: 'IOERR',
  11: 'CORRUPT',
  13: 'FULL',
  14: 'CANTOPEN',
  26: 'NOTADB',
};

/** The primary result code of an error, as each of the drivers gives it; undefined if it is another error. */
export function resultCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown };
  const number = errcode ?? rawCode;
  if (typeof number === 'number') return NAMES[number & 0xff];
  return /^SQLITE_([A-Z]+)/.exec(String(code))?.[1];
}

/** Another process holds the lock that is needed. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error instanceof CommitFailed ? error.cause : error);
  return code === 'BUSY' || code === 'LOCKED';
}

/** Somebody has deleted one of the tables. */
export function isTableMissing(error: unknown): boolean {
  return error instanceof Error && /no such table: (main\.)?tidings_/.test(error.message);
}

/** The commit of a transaction failed. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed';

  constructor(cause: unknown) {
    super(explain(cause), { cause });
  }

  /** After an I/O error the transaction may be in the file, and may appear once the file is recovered. */
  get mayBeStored(): boolean {
    return resultCode(this.cause) === 'IOERR';
  }
}

/** The log is not the one that this process knows: the file was replaced, or its epoch has changed. */
export class LogChanged extends Error {
  override readonly name = 'LogChanged';
}

/** The error of a `publish` that stored nothing, or may have. */
export function toPublishError(error: unknown): TidingsError {
  if (error instanceof CommitFailed && error.mayBeStored) {
    const { cause, message } = error;
    return new TidingsError('maybe-stored', `SQLite may have stored the event: ${message}`, { cause });
  }
  if (error instanceof TidingsError && error.code === 'closed') return error;
  const cause = error instanceof CommitFailed ? error.cause : error;
  return new TidingsError('not-stored', `SQLite did not store the event: ${explain(cause)}`, { cause });
}

/** Turns the error of any other call into one for the hub. */
export function toBrokerError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  return new TidingsError('broker', `SQLite cannot be used: ${explain(error)}`, { cause: error });
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
