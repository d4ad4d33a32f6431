// Loaded when the option `control` is given, and only then.
import type { ConnectOptions } from './options.ts';

/** A channel that the page follows besides those of the route. */
interface Followed {
  /** Events after this position have to be asked for. Undefined: the stream has had those before its own position. */
  after: string | undefined;
  /** The position of the stream when the server had stored the change. */
  storedAt?: string;
}

/** The body of a request. */
interface Change {
  readonly stream: string | null;
  readonly subscribe: string[];
  readonly unsubscribe: string[];
  readonly lastEventId: string | undefined;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** ms between two requests for the same change. */
const PAUSE = 1_000;

/**
 * Changes the channels of the open stream by the control route. A new stream has only those of its own route. It is given
 * the others again, after the position at which the last one ended, so that there is no gap.
 */
export class Control {
  readonly #url: string;
  readonly #options: ConnectOptions;
  readonly #followed = new Map<string, Followed>();
  /** Those that the open stream has, as far as the server has stored it. */
  readonly #stored = new Set<string>();
  #waiters: Waiter[] = [];
  #stream: string | null = null;
  #controller = new AbortController();
  #isSending = false;
  readonly #position: () => string;

  /** @param position where the stream is. */
  constructor(url: string, options: ConnectOptions, position: () => string) {
    this.#url = url;
    this.#options = options;
    this.#position = position;
  }

  subscribe(channels: readonly string[]): Promise<void> {
    const after = this.#position();
    for (const name of channels) if (!this.#followed.has(name)) this.#followed.set(name, { after });
    return this.#synchronised();
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    for (const name of channels) this.#followed.delete(name);
    return this.#synchronised();
  }

  /** A response begins. */
  opened(headers: Headers): void {
    this.closed();
    this.#controller = new AbortController();
    this.#stream = headers.get('tidings-stream');
    for (const channel of this.#followed.values()) channel.after ??= this.#position();
    this.#synchronise();
  }

  /** The stream has sent something. If it has moved since a change was stored, that is applied. */
  arrived(): void {
    for (const name of this.#stored) {
      const channel = this.#followed.get(name);
      if (channel && channel.storedAt !== this.#position()) channel.after = undefined;
    }
  }

  /** @param isOver no other stream follows: changes that are not stored will not be. */
  closed(isOver = false): void {
    if (isOver) this.#settle(new Error('the connection has ended'));
    this.#controller.abort();
    this.#stream = null;
    this.#stored.clear();
    this.#isSending = false;
  }

  /** Resolves when all changes up to now are stored. */
  #synchronised(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject }));
    this.#synchronise();
    return promise;
  }

  async #synchronise(): Promise<void> {
    const { signal } = this.#controller;
    if (this.#stream === null || this.#isSending) return;
    this.#isSending = true;
    let error: Error | undefined;
    for (let change = this.#next(); change && !error; change = this.#next()) {
      const status = await this.#send(change, signal).catch(() => 503);
      if (signal.aborted) return;
      if (status < 300) this.#store(change);
      // This process has no such stream: it has ended, and there will be another.
      else if (status === 404) return;
      else if (status === 429 || status >= 500) await pause(signal);
      else error = this.#giveUp(change, status);
    }
    if (signal.aborted) return;
    this.#isSending = false;
    this.#settle(error);
  }

  #settle(error: Error | undefined): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error) reject(error);
      else resolve();
    }
  }

  /** The next request: what the stream has too much, and what it lacks after one position. */
  #next(): Change | undefined {
    const unsubscribe = [...this.#stored].filter(name => !this.#followed.has(name));
    const missing = [...this.#followed].filter(([name]) => !this.#stored.has(name));
    const after = missing[0]?.[1].after;
    const subscribe = missing.filter(([, channel]) => channel.after === after).map(([name]) => name);
    if (unsubscribe.length + subscribe.length === 0) return undefined;
    return { stream: this.#stream, subscribe, unsubscribe, lastEventId: after || undefined };
  }

  async #send(change: Change, signal: AbortSignal): Promise<number> {
    const { headers, credentials, fetch: send = fetch } = this.#options;
    const init: RequestInit = { method: 'POST', body: JSON.stringify(change), signal };
    const context = { rejected: undefined };
    init.headers = new Headers(await (typeof headers === 'function' ? headers(context) : headers));
    init.headers.set('content-type', 'application/json');
    const mode = await (typeof credentials === 'function' ? credentials(context) : credentials);
    if (mode) init.credentials = mode;
    return (await send(this.#url, init)).status;
  }

  #store({ subscribe, unsubscribe }: Change): void {
    for (const name of unsubscribe) this.#stored.delete(name);
    for (const name of subscribe) {
      this.#stored.add(name);
      const channel = this.#followed.get(name);
      if (channel) channel.storedAt = this.#position();
    }
  }

  #giveUp({ subscribe, unsubscribe }: Change, status: number): Error {
    for (const name of unsubscribe) this.#stored.delete(name);
    for (const name of subscribe) this.#followed.delete(name);
    return new Error(`${this.#url}: ${status}, the channels are not changed`);
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
