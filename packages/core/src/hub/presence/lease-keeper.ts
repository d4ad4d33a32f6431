import { createOutside } from '../../base/async-context.ts';
import { nextIteration } from '../../base/event-loop.ts';
import { type Lease, type LeaseResult, takeKeys } from './leases.ts';

/** What a lease keeper needs of presence. */
export interface LeaseKeeperOptions {
  readonly lease: Lease;
  /** ms after which other processes release the keys of this process, unless it renews them. */
  readonly ttl: number;
  /** Publishes the changes. Resolves when they are stored, or have failed. */
  readonly announce: (result: LeaseResult) => Promise<unknown>;
  /** All clients of this process. */
  readonly wanted: ReadonlySet<string>;
  /** All clients in the list. */
  readonly listed: ReadonlySet<string>;
  readonly onError: (error: unknown) => void;
}

/** Average ms to wait before a failed call is repeated. */
const RETRY = 1_000;

/**
 * Prefix of the key that each hub holds for itself. If another hub releases this key, the process has died, possibly
 * before it published its last changes.
 */
const SENTINEL = '\0';

/**
 * Holds a lease key for each client of this process, with one call at a time. The changes of a call are published and
 * stored before the next call, so that a client's last event matches its last change. An exception are two processes
 * that publish at the same time. The process that has the client then detects that it is not listed: see {@link
 * Presence}.
 *
 * If the result of a call was lost (the call failed, or a process died), the list may have clients that no process
 * holds. To find them, the keeper holds and releases the key of each listed client of other processes.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #outside = createOutside();
  /** Created at first use: Workers allow no randomness at module scope. */
  #owner: string | undefined;
  readonly #toHold = new Set<string>();
  readonly #toRelease = new Set<string>();
  /** A call is due, even without changes. */
  #mustRenew = true;
  /** The next call holds the keys of all clients again. */
  #mustHoldAll = true;
  /** The list must be checked for clients that no process holds. */
  #mustVerify = false;
  /** When the last successful call began (ms, monotonic). */
  #renewedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #stopWaiting: (() => void) | undefined;
  #isClosed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  hold(client: string): void {
    if (!this.#toRelease.delete(client)) this.#toHold.add(client);
    this.#runSoon();
  }

  release(client: string): void {
    if (!this.#toHold.delete(client)) this.#toRelease.add(client);
    this.#runSoon();
  }

  /** No call is under way or waits to be repeated. */
  get isIdle(): boolean {
    return this.#running === undefined;
  }

  renew(): void {
    this.#mustRenew = true;
    this.#runSoon();
  }

  /**
   * Called when the leases or the list in the broker may have been lost: holds everything again, and verifies the list.
   */
  startOver(): void {
    this.#mustHoldAll = this.#mustVerify = true;
    this.renew();
  }

  /** Removes listed clients that no process holds. */
  verify(): void {
    this.#mustVerify = true;
    this.#runSoon();
  }

  /** @param ttl ms for which the clients of this process stay listed, so that they can reconnect to another process. */
  async close(ttl: number): Promise<void> {
    this.#isClosed = true;
    this.#stopWaiting?.();
    await this.#running;
    if (this.#owner === undefined) return;
    try {
      await this.#call([], [this.#ownKey], ttl);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  get #ownKey(): string {
    this.#owner ??= crypto.randomUUID();
    return SENTINEL + this.#owner;
  }

  #call(hold: readonly string[], release: readonly string[], ttl = this.#options.ttl): Promise<LeaseResult> {
    this.#owner ??= crypto.randomUUID();
    return this.#options.lease({ owner: this.#owner, hold, release, ttl });
  }

  #runSoon(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    this.#running = new Promise(done => {
      // All changes of this tick are made with one call.
      this.#outside(() => nextIteration(() => done(this.#run())));
    });
  }

  async #run(): Promise<void> {
    while (!this.#isClosed && this.#isDue) {
      try {
        await this.#change();
        if (this.#mustVerify && !this.#hasChanges) await this.#verifyAll();
      } catch (error) {
        this.#mustHoldAll = this.#mustVerify = true;
        this.#options.onError(error);
        await this.#wait();
      }
    }
    this.#running = undefined;
  }

  get #hasChanges(): boolean {
    return this.#toHold.size > 0 || this.#toRelease.size > 0;
  }

  get #isDue(): boolean {
    return this.#mustRenew || this.#mustHoldAll || this.#mustVerify || this.#hasChanges;
  }

  async #change(): Promise<void> {
    const { wanted, ttl, announce } = this.#options;
    const begunAt = performance.now();
    // Other processes may have released all keys while this one was paused or disconnected.
    if (this.#mustHoldAll || begunAt - this.#renewedAt > ttl * 0.8) {
      for (const client of wanted) this.#toHold.add(client);
      this.#toHold.add(this.#ownKey);
    }
    this.#mustRenew = this.#mustHoldAll = false;
    const released = takeKeys(this.#toRelease);
    try {
      const result = await this.#call(takeKeys(this.#toHold), released);
      this.#renewedAt = begunAt;
      await this.#announce(result, announce);
    } catch (error) {
      for (const client of released) if (!wanted.has(client)) this.#toRelease.add(client);
      throw error;
    }
  }

  async #announce({ came, left }: LeaseResult, announce: LeaseKeeperOptions['announce']): Promise<void> {
    const isClient = (key: string) => !key.startsWith(SENTINEL);
    if (left.some(key => !isClient(key))) this.#mustVerify = true;
    await announce({ came: came.filter(isClient), left: left.filter(isClient) });
  }

  async #verifyAll(): Promise<void> {
    this.#mustVerify = false;
    const { wanted, listed, announce } = this.#options;
    const isElsewhere = (client: string) => !wanted.has(client);
    const suspects = new Set([...listed].filter(isElsewhere));
    while (suspects.size > 0 && !this.#isClosed) {
      const keys = takeKeys(suspects);
      const { left } = await this.#call(keys, []);
      // Clients that connect to this process meanwhile stay held.
      const released = await this.#call([], keys.filter(isElsewhere));
      await this.#announce({ came: [], left: [...left, ...released.left] }, announce);
    }
  }

  #wait(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, RETRY * (0.5 + Math.random()));
      this.#stopWaiting = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
