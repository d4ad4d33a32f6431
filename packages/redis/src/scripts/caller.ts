import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { TidingsError } from '@tidings/core';
import type { Connection } from '../connection/connection.ts';
import type { ReconnectingConnection } from '../connection/reconnecting-connection.ts';
import { CallFailed, ConnectionLost, isErrorReply } from '../errors.ts';
import { FORMAT_VERSION } from './hub.ts';

/** A Lua script. Called by its digest if the server has it in its cache. */
export class Script {
  readonly #text: string;
  readonly #digest: string;
  /** Number of consecutive calls for which the server did not have the script. */
  misses = 0;

  constructor(text: string) {
    this.#text = text;
    this.#digest = createHash('sha1').update(text).digest('hex');
  }

  async run(connection: Connection, key: string, args: readonly string[]): Promise<unknown[]> {
    try {
      return (await this.#evaluate(connection, ['1', key, ...args])) as unknown[];
    } catch (error) {
      const [, version] = /^VERSION (\S+)/.exec(isErrorReply(error) ? error.message : '') ?? [];
      throw version === undefined ? error : versionMismatch(key, version);
    }
  }

  async #evaluate(connection: Connection, args: readonly string[]): Promise<unknown> {
    try {
      const reply = await connection.call(['EVALSHA', this.#digest, ...args]);
      this.misses = 0;
      return reply;
    } catch (error) {
      if (!(isErrorReply(error) && error.message.startsWith('NOSCRIPT '))) throw error;
      this.misses += 1;
      return connection.call(['EVAL', this.#text, ...args]);
    }
  }
}

function scriptsNotCached(): TidingsError {
  const message =
    'Redis does not cache scripts, so each call sends the whole script: do not call SCRIPT FLUSH, and connect to one server';
  return new TidingsError('broker', message);
}

function versionMismatch(key: string, version: string): TidingsError {
  const other = Number(version) < FORMAT_VERSION ? 'an older' : 'a newer';
  const writer = `${other} version of @tidings/redis (format ${version}, here ${FORMAT_VERSION})`;
  const keys = key.replace(/hub$/, '*');
  const message = `the keys ${keys} were written by ${writer}: use another prefix, or delete these keys`;
  return new TidingsError('broker', message);
}

/** Error replies that mean "not now" or "not on this server". The script has not begun. */
const TEMPORARY =
  /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ASK|MOVED|READONLY|UNKILLABLE) |non local key/;
/** The replies among these that mean "not on this server". */
const WRONG_SERVER = /^(MOVED|READONLY|MASTERDOWN) /;
/** A command inside the script has failed. Earlier writes of the script are not undone. */
const FAILED_MIDWAY = / script: \w+, on /;

/** ms before a call is repeated after a temporary error. */
const RETRY_DELAY = 50;

export interface CallOptions {
  /** Returns the arguments. Called for each attempt. @param mayHaveRun whether an earlier attempt got no reply. */
  args(mayHaveRun: boolean): string[];
  deadline: AbortSignal;
  /** Fails if the connection is lost, instead of repeating the call on the next one. */
  isOnce?: boolean;
}

export interface ScriptCallerOptions {
  connection: ReconnectingConnection;
  /** The hub's hash. */
  key: string;
  /** Called with the error reply of a server that does not have the hub's keys. */
  onWrongServer(error: Error): void;
  /** Called with a problem that the user must fix. */
  onMisconfigured(error: TidingsError): void;
}

/** Consecutive misses after which a problem is reported. Normally a server has the script after the first call. */
const MAX_MISSES = 5;

/** Runs scripts on a connection that may be lost. Repeats a call until it gets a reply or reaches its deadline. */
export class ScriptCaller {
  readonly #options: ScriptCallerOptions;

  constructor(options: ScriptCallerOptions) {
    this.#options = options;
  }

  /** @throws {CallFailed} */
  async call(script: Script, { args, deadline, isOnce = false }: CallOptions): Promise<unknown[]> {
    const { connection, key, onWrongServer } = this.#options;
    let mayHaveRun = false;
    let lastReply: Error | undefined;
    for (;;) {
      try {
        const current = connection.current ?? (await connection.ready(deadline));
        const list = args(mayHaveRun);
        try {
          const reply = await untilAborted(script.run(current, key, list), deadline);
          if (script.misses === MAX_MISSES) this.#options.onMisconfigured(scriptsNotCached());
          return reply;
        } catch (error) {
          if (error instanceof TidingsError) throw error;
          if (!isErrorReply(error)) {
            mayHaveRun = true;
            throw error;
          }
          if (!TEMPORARY.test(error.message)) {
            mayHaveRun ||= FAILED_MIDWAY.test(error.message);
            throw error;
          }
          lastReply = error;
          if (WRONG_SERVER.test(error.message)) onWrongServer(error);
          await delay(RETRY_DELAY, undefined, { signal: deadline });
        }
      } catch (error) {
        if (deadline.aborted) throw new CallFailed(mayHaveRun ? error : (lastReply ?? error), mayHaveRun);
        if (isOnce || !(error instanceof ConnectionLost)) throw new CallFailed(error, mayHaveRun);
      }
    }
  }
}

/** Waits for a promise until the signal is aborted. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new ConnectionLost('Redis did not reply in time'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
    promise.then(
      value => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      },
      error => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    );
  });
}
