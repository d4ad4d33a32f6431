import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogHead, Page, Position, Reach } from '@tidings/core';
import { type RawPage, readPage } from './body.ts';
import { CallFailed } from './call-failed.ts';
import { type Connection, ConnectionLost, isAnswer } from './connection.ts';
import type { Link } from './link.ts';
import type { Names } from './names.ts';
import { Script } from './script.ts';
import { APPEND } from './scripts/append.ts';
import { READ } from './scripts/read.ts';

const append = new Script(APPEND);
const read = new Script(READ);

/** Answers that say: not now, or not here. Nothing has been done. */
const PASSING =
  /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ASK|MOVED|READONLY|UNKILLABLE) |non local key/;
/** Of these, those that say: not on this connection. */
const ELSEWHERE = /^(MOVED|READONLY|MASTERDOWN) /;
/** A command that the script calls has failed. What those before it wrote stays. */
const MIDWAY = / script: \w+, on /;

const ANEW = 'the log has begun anew';

/** Ms until what was answered like that is asked again. */
const PAUSE = 50;

export interface StoreEvents {
  /** The log has begun anew. */
  epoch(epoch: string, head: Position): void;
  broken(after: Position, before: Position): void;
  /** The run id of the server that has answered. */
  server(run: string): void;
  /** An answer came from a server that no longer has the hub. */
  elsewhere(error: Error): void;
}

export interface ReadRequest {
  wants?: Iterable<readonly [channel: string, reach: Reach]>;
  until?: Position | undefined;
  /** Publishes the head to this node, with this token. */
  token?: string;
  /** Asks which channels have changed since. */
  since?: Position;
}

export interface Appended {
  epoch: string;
  result: string | undefined;
}

export interface ReadReply extends LogHead {
  /** Undefined: not asked for, or too many. */
  changed: readonly string[] | undefined;
  pages: ReadonlyMap<string, Page>;
}

/** Of all pages that one call reads together. */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ENTRIES = 2_000;

/** The scripts as calls; and what every one of their answers says about the hub: epoch, head, breaks. */
export class Store {
  /** '': not known yet. */
  epoch = '';
  /** The newest position that this node knows of, in this epoch. */
  known: Position = 0;
  sharded = false;
  readonly #link: Link;
  readonly #names: Names;
  readonly #node: string;
  readonly #events: StoreEvents;
  #lastBreak: Position = 0;

  constructor(link: Link, names: Names, node: string, events: StoreEvents) {
    this.#link = link;
    this.#names = names;
    this.#node = node;
    this.#events = events;
  }

  /** A first call on a connection: that it is answered shows that the connection can be used. */
  async greet(connection: Connection): Promise<void> {
    const args = this.#readArgs({});
    const reply = await read.run(connection, this.#names.hub, args);
    this.#learn(reply as unknown[]);
  }

  /**
   * @param args of the script, from the number of the batch on.
   * @returns what has become of the batch, and in which epoch; no result if the log has begun anew, and nothing was
   *   stored.
   * @throws {CallFailed}
   */
  async append(args: readonly string[], deadline: AbortSignal): Promise<Appended> {
    const { epoch } = this;
    let wasUnknown = false;
    const reply = await this.#call(
      append,
      isUnknown => {
        wasUnknown = isUnknown;
        // In another epoch Redis does not know what became of it in this one.
        if (isUnknown && this.epoch !== epoch) throw new Error(ANEW);
        return [...this.#common(), this.#node, ...args];
      },
      deadline,
    );
    const result = reply[4] as string | undefined;
    if (result === undefined && wasUnknown) throw new CallFailed(new Error(ANEW), true);
    return { epoch: reply[0] as string, result };
  }

  /** @throws {CallFailed} also if the epoch is another one by now. */
  async read(request: ReadRequest, deadline: AbortSignal): Promise<ReadReply> {
    const wants = [...(request.wants ?? [])];
    let epoch = '';
    const reply = await this.#call(
      read,
      () => {
        epoch = this.epoch;
        return this.#readArgs({ ...request, wants });
      },
      deadline,
      // A second try would publish a second, newer head.
      request.token !== undefined,
    );
    const [, head, , , changed, ...pages] = reply as [string, string, string, unknown, unknown, ...RawPage[]];
    if (epoch !== this.epoch) throw new CallFailed(new Error(ANEW), false);
    return {
      epoch,
      head: Number(head),
      changed: Array.isArray(changed) ? (changed as string[]) : undefined,
      pages: new Map(wants.map(([channel], index) => [channel, readPage(channel, pages[index] as RawPage)])),
    };
  }

  /**
   * @param args called for each attempt, and told whether one before had no answer.
   * @param isOnce a lost connection is the end of it.
   */
  async #call(
    script: Script,
    args: (isUnknown: boolean) => string[],
    deadline: AbortSignal,
    isOnce = false,
  ): Promise<unknown[]> {
    let isUnknown = false;
    let answer: Error | undefined;
    for (;;) {
      try {
        const connection = this.#link.current ?? (await this.#link.ready(deadline));
        const list = args(isUnknown);
        try {
          const reply = await orAborted(script.run(connection, this.#names.hub, list), deadline);
          this.#learn(reply as unknown[]);
          return reply as unknown[];
        } catch (error) {
          if (!isAnswer(error)) {
            isUnknown = true;
            throw error;
          }
          if (!PASSING.test(error.message)) {
            isUnknown ||= MIDWAY.test(error.message);
            throw error;
          }
          answer = error;
          if (ELSEWHERE.test(error.message)) this.#events.elsewhere(error);
          await delay(PAUSE, undefined, { signal: deadline });
        }
      } catch (error) {
        if (deadline.aborted) throw new CallFailed(isUnknown ? error : (answer ?? error), isUnknown);
        if (isOnce || !(error instanceof ConnectionLost)) throw new CallFailed(error, isUnknown);
      }
    }
  }

  #common(): string[] {
    const publish = this.sharded ? 'SPUBLISH' : 'PUBLISH';
    // Another one each time: if the answer is lost, other nodes may know it by now, with positions.
    return [this.epoch, createEpoch(), String(this.known), String(this.#lastBreak), publish];
  }

  #readArgs({ wants = [], until, token = '', since }: ReadRequest): string[] {
    const args = this.#common();
    args.push(
      this.#node,
      token,
      String(until ?? ''),
      String(PAGE_BYTES),
      String(PAGE_ENTRIES),
      String(since ?? ''),
    );
    for (const [channel, reach] of wants) {
      if (typeof reach === 'number') args.push(channel, 'a', String(reach));
      else args.push(channel, 'l', String(Math.min(Math.floor(reach.last), 1e9)));
    }
    return args;
  }

  #learn(reply: readonly unknown[]): void {
    const [epoch, head, run, breaks] = reply as [string, string, string, string | null];
    const isFirst = this.epoch === '';
    const isNew = epoch !== this.epoch;
    if (isNew) {
      this.epoch = epoch;
      this.known = 0;
      this.#lastBreak = 0;
    }
    this.known = Math.max(this.known, Number(head));
    this.#events.server(run);
    if (isNew && !isFirst) this.#events.epoch(epoch, Number(head));
    if (breaks === null) return;
    for (const [, after, before] of breaks.matchAll(/(\d+)-(\d+)/g)) {
      if (Number(before) <= this.#lastBreak) continue;
      this.#lastBreak = Number(before);
      this.#events.broken(Number(after), Number(before));
    }
  }
}

/** Waits no longer than a signal allows. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new ConnectionLost('Redis has not answered in time'));
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

function createEpoch(): string {
  return BigInt(`0x${randomBytes(9).toString('hex')}`).toString(36);
}
