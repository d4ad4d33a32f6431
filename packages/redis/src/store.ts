import { randomBytes } from 'node:crypto';
import type { LogHead, Page, Position, ReadFrom } from '@tidings/core';
import type { Connection } from './connection/connection.ts';
import { CallFailed } from './errors.ts';
import { decodePage, type Names, type RawPage } from './format.ts';
import { APPEND } from './scripts/append.ts';
import { Script, type ScriptCaller } from './scripts/caller.ts';
import { READ } from './scripts/read.ts';

/** Information that any reply of a script may contain. Called before the call that received the reply settles. */
export interface StoreEvents {
  /** The log has restarted in a new epoch. */
  restarted(epoch: string, head: Position): void;
  broken(after: Position, before: Position): void;
  /** The id of the server that replied. */
  server(id: string): void;
}

export interface ReadRequest {
  wants?: Iterable<readonly [channel: string, from: ReadFrom | 'state']>;
  until?: Position | undefined;
  /** If set, the script publishes the head with this token: a barrier in the messages of the live feed. */
  token?: string;
  /** If set, the reply lists the channels that have entries after this position. */
  since?: Position;
}

export interface ReadReply extends LogHead {
  /** Undefined: not requested, or too many to list. */
  changed: readonly string[] | undefined;
  pages: ReadonlyMap<string, Page>;
}

export interface AppendReply {
  epoch: string;
  /** Undefined: the log has restarted in a new epoch, and nothing was stored. */
  result: string | undefined;
}

/** Limits on all pages of one call together. */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ENTRIES = 2_000;

/** Maximum number of stored foreign epochs. */
const MAX_FOREIGN_EPOCHS = 100;

/** The scripts as methods. Tracks epoch, head and breaks of the log from their replies. */
export class Store {
  /** '': not known yet. */
  epoch = '';
  /**
   * The newest position of this epoch that this process knows. If the server does not know it, the server has lost
   * data.
   */
  knownHead: Position = 0;
  /** Whether sharded Pub/Sub is used. Set before the first call. */
  isSharded = false;
  readonly #append = new Script(APPEND);
  readonly #read = new Script(READ);
  readonly #caller: ScriptCaller;
  readonly #names: Names;
  readonly #random = BigInt(`0x${randomBytes(9).toString('hex')}`).toString(36);
  #calls = 0;
  readonly #process: string;
  readonly #events: StoreEvents;
  #lastBreak: Position = 0;
  /** Epochs of messages that are not from this log: another database with the same prefix, or an older epoch. */
  readonly #foreignEpochs = new Set<string>();
  #isCheckingEpoch = false;

  constructor(caller: ScriptCaller, names: Names, process: string, events: StoreEvents) {
    this.#caller = caller;
    this.#names = names;
    this.#process = process;
    this.#events = events;
  }

  /** Makes the first call on a connection. The reply proves that the connection is usable. */
  async greet(connection: Connection): Promise<void> {
    this.#learn(await this.#read.run(connection, this.#names.hub, this.#readArgs({})));
  }

  /**
   * @param channels the channels of the batch.
   * @param args the other arguments of the script, beginning with the number of the batch.
   * @throws {CallFailed}
   */
  async append(
    channels: readonly string[],
    args: readonly string[],
    deadline: AbortSignal,
  ): Promise<AppendReply> {
    const { epoch } = this;
    let mightBeStored = false;
    const reply = await this.#caller.call(this.#append, {
      args: mayHaveRun => {
        mightBeStored = mayHaveRun;
        // In another epoch, Redis has no record of whether the batch was stored in the earlier one.
        if (mayHaveRun && this.epoch !== epoch) throw restarted();
        return [...this.#commonArgs(channels), ...args];
      },
      deadline,
    });
    this.#learn(reply);
    const result = reply[4] as string | undefined;
    if (result === undefined && mightBeStored) throw new CallFailed(restarted(), true);
    return { epoch: reply[0] as string, result };
  }

  /** The state of a channel, as a page without entries. */
  async state(channel: string, deadline: AbortSignal): Promise<Page> {
    const { pages } = await this.read({ wants: [[channel, 'state']] }, deadline);
    return pages.get(channel) as Page;
  }

  /** @throws {CallFailed} also if the log has restarted in a new epoch meanwhile. */
  async read(request: ReadRequest, deadline: AbortSignal): Promise<ReadReply> {
    const wants = [...(request.wants ?? [])];
    let epoch = '';
    const reply = await this.#caller.call(this.#read, {
      args: () => {
        epoch = this.epoch;
        return this.#readArgs({ ...request, wants });
      },
      deadline,
      // A second attempt would publish a second, newer head with the same token.
      isOnce: request.token !== undefined,
    });
    this.#learn(reply);
    const [, head, , , changed, ...pages] = reply as [string, string, string, unknown, unknown, ...RawPage[]];
    if (epoch !== this.epoch) throw new CallFailed(restarted(), false);
    return {
      epoch,
      head: Number(head),
      changed: Array.isArray(changed) ? (changed as string[]) : undefined,
      pages: new Map(
        wants.map(([channel], index) => [channel, decodePage(channel, pages[index] as RawPage)]),
      ),
    };
  }

  /**
   * Asks the server for its epoch, because a message had another epoch ('': because of a notice about a new epoch). A
   * message alone proves nothing: Pub/Sub is shared by all databases of a server, and any client can publish.
   */
  async checkEpoch(epoch: string, deadline: AbortSignal): Promise<void> {
    if (this.#isCheckingEpoch || this.#foreignEpochs.has(epoch)) return;
    this.#isCheckingEpoch = true;
    try {
      await this.read({}, deadline);
      if (this.#foreignEpochs.size >= MAX_FOREIGN_EPOCHS) this.#foreignEpochs.clear();
      if (epoch !== '' && epoch !== this.epoch) this.#foreignEpochs.add(epoch);
    } catch (error) {
      // The first call on the next connection reveals the same.
      if (!(error instanceof CallFailed)) throw error;
    } finally {
      this.#isCheckingEpoch = false;
    }
  }

  #commonArgs(channels: readonly string[]): string[] {
    const publish = this.isSharded ? 'SPUBLISH' : 'PUBLISH';
    this.#calls += 1;
    // A different name in each call: if the reply of an earlier call is lost, other processes may know the epoch that
    // it has started, and positions of it.
    const next = this.#random + this.#calls.toString(36).padStart(9, '0');
    const known = [this.epoch, next, String(this.knownHead), String(this.#lastBreak)];
    return [...known, publish, this.#process, String(channels.length), ...channels];
  }

  #readArgs({ wants = [], until, token = '', since }: ReadRequest): string[] {
    const list = [...wants];
    const args = this.#commonArgs(list.map(([channel]) => channel));
    args.push(token, String(until ?? ''), String(PAGE_BYTES), String(PAGE_ENTRIES), String(since ?? ''));
    for (const [, from] of list) {
      if (from === 'state') args.push('s', '0');
      else if (typeof from === 'number') args.push('a', String(from));
      else args.push('l', String(Math.min(Math.floor(from.last), 1e9)));
    }
    return args;
  }

  #learn(reply: readonly unknown[]): void {
    const [epoch, head, server, breaks] = reply as [string, string, string, string | null];
    const isFirst = this.epoch === '';
    const isNew = epoch !== this.epoch;
    if (isNew) {
      this.epoch = epoch;
      this.knownHead = 0;
      this.#lastBreak = 0;
    }
    this.knownHead = Math.max(this.knownHead, Number(head));
    this.#events.server(server);
    if (isNew && !isFirst) this.#events.restarted(epoch, Number(head));
    if (breaks === null) return;
    for (const [, after, before] of breaks.matchAll(/(\d+)-(\d+)/g)) {
      if (Number(before) <= this.#lastBreak) continue;
      this.#lastBreak = Number(before);
      this.#events.broken(Number(after), Number(before));
    }
  }
}

function restarted(): Error {
  return new Error('the log has restarted in a new epoch');
}
