import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Opened, Page, Position, Reach, Sink } from '@tidings/core';
import { CallFailed, interrupted } from './call-failed.ts';
import { catchUp } from './catch-up.ts';
import { chunks } from './chunks.ts';
import type { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import { EpochCheck } from './epoch-check.ts';
import { HeadReader } from './head-reader.ts';
import { Inbox } from './inbox.ts';
import { Link } from './link.ts';
import type { Names } from './names.ts';
import { readServer } from './server.ts';
import type { Store } from './store.ts';

/**
 * The connection over which everything comes that is new, and what makes it complete: after each subscription the log
 * is read.
 */
export class Subscription {
  readonly #store: Store;
  readonly #names: Names;
  readonly #timeout: number;
  readonly #link: Link;
  readonly #inbox: Inbox;
  readonly #reader: HeadReader;
  readonly #probing: NodeJS.Timeout;
  /** Of the server that the connection is with; '': not known, or there is none. */
  #run = '';
  /** One thing at a time changes what is subscribed to. */
  #lane: Promise<unknown> = Promise.resolve();

  constructor(
    dialer: Dialer,
    store: Store,
    names: Names,
    sink: Sink,
    timeout: number,
    probeInterval: number,
  ) {
    this.#store = store;
    this.#names = names;
    this.#timeout = timeout;
    const check = new EpochCheck(store, timeout);
    this.#inbox = new Inbox(sink, names, store, {
      foreign: epoch => void check.look(epoch),
      hole: () => void this.#inLane(() => this.#mend()),
    });
    this.#link = new Link(dialer, {
      message: (name, text) => this.#inbox.receive(name, text),
      prepare: connection => this.#prepare(connection),
      down: () => {
        this.#run = '';
        this.#inbox.cut();
      },
    });
    this.#reader = new HeadReader(store, this.#inbox, timeout, cause => this.#link.drop(cause));
    this.#probing = setInterval(() => void this.#probe(), probeInterval);
  }

  /** Connects. What is up to `head` is not asked for. */
  async start(head: Position): Promise<Position> {
    this.#inbox.given = head;
    await this.#link.ready(AbortSignal.timeout(this.#timeout));
    return this.#inbox.given;
  }

  async open(wants: ReadonlyMap<string, Reach>): Promise<Opened> {
    const connection = await this.#link.ready(AbortSignal.timeout(this.#timeout));
    return new Promise((resolve, reject) => {
      void this.#inLane(async () => {
        const { life } = this.#inbox;
        if (connection.isClosed || !this.#inbox.isLive) return reject(interrupted());
        try {
          resolve(await this.#open(connection, wants));
          // What is newer comes after the caller knows what is not.
          await nextTurn();
        } catch (error) {
          reject(error);
        }
        if (life === this.#inbox.life && this.#inbox.holes.size === 0) this.#inbox.release();
      });
    });
  }

  shut(channels: readonly string[]): void {
    void this.#inLane(async () => {
      const open = channels.filter(channel => this.#inbox.channels.has(channel));
      this.#inbox.shut(open);
      this.#unsubscribe(open);
    });
  }

  /** The log has begun anew. */
  reset(head: Position): void {
    this.#unsubscribe(this.#inbox.reset(head));
  }

  /** A server has answered. If it is not the one that the subscription is with, nothing comes over that any more. */
  checkServer(run: string): void {
    if (this.#run !== '' && this.#run !== run) this.#link.drop(new Error('the server is another one'));
  }

  close(): void {
    clearInterval(this.#probing);
    this.#link.close();
  }

  async #prepare(connection: Connection): Promise<void> {
    const { sharded } = this.#store;
    this.#run = (await readServer(connection)).run;
    await connection.subscribe([this.#names.node, this.#names.notes], sharded);
    await this.#inLane(async () => {
      if (connection.isClosed) throw interrupted();
      for (const channels of chunks([...this.#inbox.channels.keys()])) {
        await connection.subscribe(channels.map(this.#names.on), sharded);
      }
      await this.#catchUp();
    });
  }

  /** Gives what has come since the last position that was given, and goes on live. */
  async #catchUp(): Promise<void> {
    const inbox = this.#inbox;
    do {
      const { life } = inbox;
      inbox.hold();
      const isIdle = inbox.channels.size === 0;
      const request = isIdle ? {} : { since: inbox.given };
      const { head, changed } = await this.#reader.read(request, () => inbox.dropHeld());
      const open = inbox.channels;
      const channels = new Set(isIdle ? [] : (changed?.filter(channel => open.has(channel)) ?? open.keys()));
      for (const channel of inbox.holes.keys()) channels.add(channel);
      await catchUp(inbox, this.#store, [...channels], head, this.#timeout);
      if (life !== inbox.life) throw interrupted();
      inbox.know(channels, head);
      inbox.advance(head);
    } while (inbox.hasOverflowed);
    inbox.release();
  }

  /** The same when something is found to be missing while the connection is up. */
  async #mend(): Promise<void> {
    const { life } = this.#inbox;
    try {
      await this.#catchUp();
    } catch (error) {
      // A new connection begins with the same.
      if (life === this.#inbox.life) this.#link.drop(error);
    }
  }

  async #open(connection: Connection, wants: ReadonlyMap<string, Reach>): Promise<Opened> {
    const inbox = this.#inbox;
    const { life } = inbox;
    const fresh = new Set([...wants.keys()].filter(channel => !inbox.channels.has(channel)));
    const slices = chunks([...wants]);
    const pages = new Map<string, Page>();
    inbox.begin([...fresh]);
    try {
      for (const [index, slice] of slices.entries()) {
        const channels = slice.map(([channel]) => channel).filter(channel => fresh.has(channel));
        if (channels.length > 0)
          await connection.subscribe(channels.map(this.#names.on), this.#store.sharded);
        const reply = await this.#reader.read({ wants: slice }, head => {
          if (!inbox.isLive) return;
          inbox.advance(head);
          inbox.collect(channels);
          if (index === slices.length - 1) inbox.hold();
        });
        if (life !== inbox.life || inbox.holes.size > 0) throw interrupted();
        for (const [channel, page] of reply.pages) pages.set(channel, page);
        if (index === slices.length - 1)
          return { head: reply.head, pages: this.#finish(pages, fresh, reply.head) };
      }
      throw new Error('unreachable');
    } catch (error) {
      if (life === inbox.life) {
        inbox.abandon([...fresh]);
        this.#unsubscribe([...fresh]);
      }
      throw error;
    }
  }

  /** The pages, each with what has come to its channel between its own head and that of all. */
  #finish(pages: Map<string, Page>, fresh: ReadonlySet<string>, head: Position): Map<string, Page> {
    for (const channel of fresh) {
      const page = pages.get(channel) as Page;
      const entries = this.#inbox.finish(channel, head).filter(({ position }) => position <= head);
      // Else it is read on anyway.
      if (entries.length === 0 || page.more) continue;
      const ended = entries.find(({ kind }) => kind === 'end')?.position ?? page.ended;
      pages.set(channel, { ...page, ended, entries: [...page.entries, ...entries] });
    }
    return pages;
  }

  /** Proves that what is published still comes; and tells a quiet hub where the head is. */
  async #probe(): Promise<void> {
    if (this.#link.current === undefined) return;
    try {
      await this.#reader.read({}, head => {
        if (this.#inbox.isLive) this.#inbox.advance(head);
      });
    } catch (error) {
      // If it was the subscription, it has been dropped; if it was the other connection, that has.
      if (!(error instanceof CallFailed)) throw error;
    }
  }

  #unsubscribe(channels: readonly string[]): void {
    for (const list of chunks(channels)) {
      // A connection that is gone has no subscriptions.
      this.#link.current?.unsubscribe(list.map(this.#names.on), this.#store.sharded).catch(() => {});
    }
  }

  #inLane<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#lane.then(task);
    this.#lane = done.catch(() => {});
    return done;
  }
}
