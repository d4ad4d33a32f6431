import { TidingsError } from '@tidings/core';

/** The primary result codes of SQLite that are handled. */
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

/** The primary result code of an error of any driver. Undefined for any other error. */
export function resultCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, rawCode, code } = error as { errcode?: unknown; rawCode?: unknown; code?: unknown };
  const number = errcode ?? rawCode;
  if (typeof number === 'number') return NAMES[number & 0xff];
  return /^SQLITE_([A-Z]+)/.exec(String(code))?.[1];
}

/** Another process holds the required lock. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error instanceof CommitFailed ? error.cause : error);
  return code === 'BUSY' || code === 'LOCKED';
}

/** One of the tables was deleted. */
export function isTableMissing(error: unknown): boolean {
  return error instanceof Error && /no such table: (main\.)?tidings_/.test(error.message);
}

/** The commit of a transaction failed. */
export class CommitFailed extends Error {
  override readonly name = 'CommitFailed';

  constructor(cause: unknown) {
    super(explain(cause), { cause });
  }

  /** After an I/O error, the transaction may be in the file, and may become visible when SQLite recovers the file. */
  get mayBeStored(): boolean {
    return resultCode(this.cause) === 'IOERR';
  }
}

/** The log has changed: the file was replaced, it has lost data, or it has another epoch. */
export class LogChanged extends Error {
  override readonly name = 'LogChanged';
}

/** Converts the error of a `publish`: `maybe-stored` if the events may be stored, else `not-stored`. */
export function toPublishError(error: unknown): TidingsError {
  if (error instanceof CommitFailed && error.mayBeStored) {
    const { cause, message } = error;
    return new TidingsError('maybe-stored', `SQLite may have stored the event: ${message}`, { cause });
  }
  if (error instanceof TidingsError && error.code === 'closed') return error;
  const cause = error instanceof CommitFailed ? error.cause : error;
  return new TidingsError('not-stored', `SQLite did not store the event: ${explain(cause)}`, { cause });
}

/** Converts the error of any other call into an error for the hub. */
export function toBrokerError(error: unknown): TidingsError {
  if (error instanceof TidingsError) return error;
  return new TidingsError('broker', `SQLite cannot be used: ${explain(error)}`, { cause: error });
}

function explain(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
