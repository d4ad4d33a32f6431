import type { ConnectOptions } from '../options.ts';
import { compare } from '../position.ts';
import { type Change, postChange } from './request.ts';
import {
  advance,
  clean,
  missingFrom,
  needAfter,
  type StreamChannel,
  type StreamChannels,
  type Wanted,
} from './stream-channels.ts';

/** The error of a change that the server has refused. */
export interface Refusal extends Error {
  readonly channels: readonly string[];
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** ms between two requests for the same change. */
const PAUSE = 1_000;

/** Subscribes an open stream to the channels that tabs follow, with requests to the control route, one at a time. */
export class ChannelSync {
  /** The channels that each tab follows, by the name of the tab. '' is this tab. */
  readonly tabs = new Map<string, Wanted>();
  /** The channels that were added to the stream. */
  channels: StreamChannels = new Map();
  readonly #url: string;
  readonly #options: ConnectOptions;
  #waiters: Waiter[] = [];
  /** The id of the stream. Undefined: no stream is open. Null: the response has no header with the id. */
  #stream: string | null | undefined;
  /** The position of the stream. */
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
    for (const wanted of this.tabs.values()) needAfter(wanted, at);
    this.synchronise();
  }

  /**
   * Called when the stream has reached a position.
   *
   * @param isBehind the position is older than that of this tab, so that channels of this tab may lack events.
   */
  arrived(at: string, isBehind: boolean): void {
    this.at = at;
    advance(this.channels, at);
    for (const [name, { isApplied }] of this.channels) {
      if (!isApplied) continue;
      for (const [tab, wanted] of this.tabs) {
        const after = wanted.get(name);
        // After a reset, the position may be older than the last event of a channel.
        if (after !== undefined && (tab || !isBehind) && !(compare(after, at) > 0))
          wanted.set(name, undefined);
      }
    }
  }

  /** Called for a reset of channels: the next events may be older than the last ones that the tabs have received. */
  restart(names: readonly string[], at: string): void {
    // Position 0, so that the server sends the reset again if the connection breaks.
    const since = clean(at).replace(/\d+$/, '0');
    for (const name of names) {
      const channel = this.channels.get(name);
      if (!channel) continue;
      Object.assign(channel, { since, storedAt: clean(at), isApplied: false });
      for (const wanted of this.tabs.values()) if (wanted.has(name)) wanted.set(name, since);
    }
  }

  /** @param isNamed whether events have their channel and position (`channelField`). */
  closed(isNamed: boolean): void {
    this.#controller.abort();
    this.#stream = undefined;
    this.#isSending = false;
    if (!isNamed) this.#markBackfills();
    this.channels = new Map();
  }

  /** Marks interrupted backfills. It is unknown which of the older events have arrived. The server sends a `reset`. */
  #markBackfills(): void {
    for (const [name, { hasBackfill, isApplied }] of this.channels) {
      if (!hasBackfill || isApplied) continue;
      for (const wanted of this.tabs.values()) if (wanted.has(name)) wanted.set(name, `${clean(this.at)}~`);
    }
  }

  /** Resolves when the server has stored all changes up to now. */
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
      // The server does not have this stream: it has ended, and another one will open.
      else if (status === 404) return;
      else if (status === 429 || status >= 500) {
        // It is unknown whether the server has stored the change, so the request is repeated.
        this.#set(change.unsubscribe, { isRemoved: false, storedAt: undefined });
        await pause(signal);
      } else error = this.#giveUp(change, status);
    }
    if (signal.aborted) return;
    this.#isSending = false;
    if (!error) this.#setStarts();
    this.settle(error);
  }

  /** Sets the position of channels that a tab follows from now on. The next stream must not begin them later. */
  #setStarts(): void {
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

  /**
   * The next request: removes unneeded channels, and adds those missing channels that begin after the same position.
   */
  #next(): Change | undefined {
    const tabs = [...this.tabs.values()];
    const unsubscribe = [...this.channels]
      .filter(([name, { isRemoved }]) => !isRemoved && !tabs.some(tab => tab.has(name)))
      .map(([name]) => name);
    const missing = missingFrom(this.channels, tabs);
    const [since = ''] = missing.values();
    const subscribe = [...missing.keys()].filter(name => missing.get(name) === since);
    if (unsubscribe.length + subscribe.length === 0) return undefined;
    // From now on, the server may have removed them.
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
      // A position of another epoch says nothing about the events of this one.
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
