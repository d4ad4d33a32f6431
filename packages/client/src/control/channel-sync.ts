import type { ConnectOptions } from '../options.ts';
import { compare } from '../position.ts';
import { type Change, postChange } from './request.ts';
import {
  advance,
  clean,
  hold,
  missingFrom,
  type StreamChannel,
  type StreamChannels,
  type Wanted,
} from './stream-channels.ts';

/** A change that the server refuses. */
export interface Refusal extends Error {
  readonly channels: readonly string[];
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** ms between two requests for the same change. */
const PAUSE = 1_000;

/** Gives an open stream the channels that tabs follow, by requests to the control route, one at a time. */
export class ChannelSync {
  /** What each tab follows, by the name of the tab. */
  readonly tabs = new Map<string, Wanted>();
  /** What the stream has. */
  channels: StreamChannels = new Map();
  readonly #url: string;
  readonly #options: ConnectOptions;
  #waiters: Waiter[] = [];
  /** The id of the stream. Undefined: there is none. Null: it has not told its id. */
  #stream: string | null | undefined;
  /** How far it is. */
  at = '';
  #controller = new AbortController();
  #isSending = false;

  constructor(url: string, options: ConnectOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** @param at the position after which a response begins. */
  opened(headers: Headers, at: string): void {
    this.#controller = new AbortController();
    this.#stream = headers.get('tidings-stream');
    this.at = at;
    for (const wanted of this.tabs.values()) hold(wanted, at);
    this.synchronise();
  }

  /**
   * The stream is at a position.
   *
   * @param isBehind this tab is ahead of it, so it does not have all of its channels up to its own position yet.
   */
  arrived(at: string, isBehind: boolean): void {
    this.at = at;
    advance(this.channels, at);
    for (const [name, { isApplied }] of this.channels) {
      if (!isApplied) continue;
      for (const [tab, wanted] of this.tabs) {
        const after = wanted.get(name);
        // After a reset, the position of a tab may be before what it has of a channel.
        if (after !== undefined && (tab || !isBehind) && !(compare(after, at) > 0))
          wanted.set(name, undefined);
      }
    }
  }

  /** A reset at an id names channels: what follows may be older than what the tabs have. */
  restart(names: readonly string[], at: string): void {
    // Before every position: after a cut, the server sends the reset again.
    const since = clean(at).replace(/\d+$/, '0');
    for (const name of names) {
      const channel = this.channels.get(name);
      if (!channel) continue;
      Object.assign(channel, { since, storedAt: clean(at), isApplied: false });
      for (const wanted of this.tabs.values()) if (wanted.has(name)) wanted.set(name, since);
    }
  }

  /** @param isNamed the server tells the position of each event. */
  closed(isNamed: boolean): void {
    this.#controller.abort();
    this.#stream = undefined;
    this.#isSending = false;
    if (!isNamed) this.#markBackfills();
    this.channels = new Map();
  }

  /** Which of the older events have arrived is unknown: with such an id, the server sends a `reset`. */
  #markBackfills(): void {
    for (const [name, { hasBackfill, isApplied }] of this.channels) {
      if (!hasBackfill || isApplied) continue;
      for (const wanted of this.tabs.values()) if (wanted.has(name)) wanted.set(name, `${clean(this.at)}~`);
    }
  }

  /** Resolves when all changes up to now are stored. */
  synchronised(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.synchronise();
    return promise;
  }

  async synchronise(): Promise<void> {
    const { signal } = this.#controller;
    if (this.#stream === undefined || this.#isSending) return;
    this.#isSending = true;
    let error: Error | undefined;
    if (this.#stream === null)
      error = new Error('no header Tidings-Stream: use sse.control(), and expose the header');
    while (!error) {
      const change = this.#next();
      if (!change) break;
      const response = await postChange(this.#url, this.#options, change, signal).catch(() => undefined);
      if (signal.aborted) return;
      const { status, headers } = response ?? { status: 503 };
      if (status < 300) this.#store(change, headers?.get('tidings-position'));
      // This process has no such stream: it has ended, and there will be another.
      else if (status === 404) return;
      else if (status === 429 || status >= 500) {
        // Whether the server has made the change is unknown: it is asked for again.
        this.#set(change.unsubscribe, { isRemoved: false, storedAt: undefined });
        await pause(signal);
      } else error = this.#giveUp(change, status);
    }
    if (signal.aborted) return;
    this.#isSending = false;
    if (!error) this.#place();
    this.settle(error);
  }

  /** A tab that had no position follows a channel from when it is stored: another stream begins there, and not later. */
  #place(): void {
    for (const wanted of this.tabs.values()) {
      for (const [name, after] of wanted) {
        const { since = '' } = this.channels.get(name) ?? {};
        if (after === '') wanted.set(name, compare(this.at, since) > 0 ? clean(this.at) : since);
      }
    }
  }

  settle(error: Error | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error) reject(error);
      else resolve();
    }
  }

  /** The next request: what the stream has too much, and what it lacks after one position. */
  #next(): Change | undefined {
    const tabs = [...this.tabs.values()];
    const unsubscribe = [...this.channels]
      .filter(([name, { isRemoved }]) => !isRemoved && !tabs.some(tab => tab.has(name)))
      .map(([name]) => name);
    const missing = missingFrom(this.channels, tabs);
    const [since = ''] = missing.values();
    const subscribe = [...missing.keys()].filter(name => missing.get(name) === since);
    if (unsubscribe.length + subscribe.length === 0) return undefined;
    // From now on the server may have removed them.
    this.#set(unsubscribe, { isRemoved: true, isApplied: false });
    const channel = { since, hasBackfill: false, isApplied: false, isRemoved: false };
    for (const name of subscribe) this.channels.set(name, { ...channel });
    return { stream: this.#stream ?? null, subscribe, unsubscribe, lastEventId: since || undefined };
  }

  #store({ subscribe }: Change, position: string | null | undefined): void {
    const storedAt = position ?? clean(this.at);
    for (const name of subscribe) {
      const channel = this.channels.get(name) as StreamChannel;
      channel.storedAt = storedAt;
      // What it has of another epoch is not known.
      if (Number.isNaN(compare(channel.since, storedAt))) channel.since = storedAt;
    }
  }

  #giveUp({ subscribe }: Change, status: number): Refusal {
    for (const name of subscribe) {
      this.channels.delete(name);
      for (const wanted of this.tabs.values()) wanted.delete(name);
    }
    const error = new Error(`${this.#url} responded with ${status}: the channels were not changed`);
    return Object.assign(error, { channels: subscribe });
  }

  #set(names: readonly string[], changes: Partial<StreamChannel>): void {
    for (const name of names) Object.assign(this.channels.get(name) as StreamChannel, changes);
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, PAUSE);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
