import { checkType } from '../../base/option-checks.ts';
import type { DeliveryContext } from '../../delivery/delivery-target.ts';
import { within } from '../closing/deadline.ts';
import { ChannelListener, type ListenEnd } from './channel-listener.ts';
import { type ListenEvent, type ListenOptions, readListenOptions } from './listen-options.ts';

/** What `hub.listen()` returns. */
export interface Listening {
  /** Resolves when the listener is live: it receives everything that is published from then on. Never rejects. */
  readonly ready: Promise<void>;
  /**
   * Resolves when the listener receives nothing more, and its last call is done. `closed`: by `close()`, `signal` or
   * the hub; `ended`: all channels have ended, and everything was received; `error`: a snapshot failed, and `onError`
   * was called. Never rejects.
   */
  readonly closed: Promise<ListenEnd>;
  /** Closes the listener. A running call continues. Idempotent. */
  close(): void;
}

/** The listeners of a hub in this process. */
export class Listeners {
  readonly #context: DeliveryContext;
  readonly #onError: (error: unknown) => void;
  readonly #listeners = new Set<ChannelListener>();

  constructor(context: DeliveryContext, onError: (error: unknown) => void) {
    this.#context = context;
    this.#onError = onError;
  }

  get isEmpty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Number of listeners of a channel. */
  countOf(channel: string): number {
    let count = 0;
    for (const { isLive, channels } of this.#listeners) if (isLive && channels.has(channel)) count += 1;
    return count;
  }

  /** @throws {TidingsError} `invalid-option`, naming the option. */
  add(
    channels: readonly string[],
    listener: (event: ListenEvent) => unknown,
    options?: ListenOptions,
  ): Listening {
    checkType('listener', 'function', listener ?? null);
    const checked = readListenOptions(options);
    const added = new ChannelListener(this.#context, new Set(channels), listener, checked, this.#onError);
    const close = () => added.close();
    this.#listeners.add(added);
    checked.signal?.addEventListener('abort', close);
    added.ended.then(() => {
      checked.signal?.removeEventListener('abort', close);
      this.#listeners.delete(added);
    });
    if (checked.signal?.aborted) close();
    return { ready: added.ready, closed: added.ended, close };
  }

  /** Resolves when all listeners have received the events that were published before. Closes them after `ms`. */
  async close(ms: number): Promise<void> {
    const listeners = [...this.#listeners];
    for (const listener of listeners) listener.finish();
    const finished = Promise.all(listeners.map(({ ended }) => ended));
    await within(ms, finished, () => new Error('a listener is late')).catch(() => {});
    for (const listener of listeners) listener.close();
  }
}
