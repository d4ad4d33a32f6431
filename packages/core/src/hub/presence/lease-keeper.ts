import { createOutside } from '../../base/async-context.ts';
import { nextTurn } from '../../base/event-loop.ts';
import { type Lease, type LeaseResult, takeKeys } from './leases.ts';

/** What a lease keeper calls. */
export interface LeaseKeeperOptions {
  readonly lease: Lease;
  /** ms after which other processes release what this one holds, unless it renews it. */
  readonly ttl: number;
  /** Publishes the changes. Resolves when they are stored, or could not be. */
  readonly announce: (result: LeaseResult) => Promise<unknown>;
  /** All clients of this process. */
  readonly wanted: ReadonlySet<string>;
  /** All clients in the list. */
  readonly listed: ReadonlySet<string>;
  readonly onError: (error: unknown) => void;
}

/** ms before a call is repeated that has failed, on average. */
const RETRY = 1_000;

/** Each hub holds a key of its own: when another one releases it, this process has died, perhaps before it published. */
const SENTINEL = '\0';

/**
 * Holds a key for each client of this process, with one call at a time. What a call has changed is published, and stored,
 * before the next call: so the last event of a client is of the last change, unless two processes publish at once. Then
 * the process that has the client notices that it is not listed: see {@link Presence}.
 *
 * A result that was lost (a call that failed, a process that died) may leave clients in the list that nobody holds. They
 * are found by holding and releasing each of them.
 */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #outside = createOutside();
  /** Created at first use: Workers allow no randomness at module scope. */
  #owner: string | undefined;
  readonly #toHold = new Set<string>();
  readonly #toRelease = new Set<string>();
  #mustRenew = true;
  #mustHoldAll = true;
  #mustVerify = false;
  /** ms, monotonic: when the last call that succeeded began. */
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

  /** No call is under way, or waits to be made again. */
  get isIdle(): boolean {
    return this.#running === undefined;
  }

  renew(): void {
    this.#mustRenew = true;
    this.#runSoon();
  }

  /** What is held, or listed, may not be what this process knows. */
  startOver(): void {
    this.#mustHoldAll = this.#mustVerify = true;
    this.renew();
  }

  /** Looks for clients in the list that nobody holds. */
  verify(): void {
    this.#mustVerify = true;
    this.#runSoon();
  }

  /** @param ttl ms for which the clients of this process stay in the list, until they have reconnected elsewhere. */
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
      // What else changes in this turn goes into the same call.
      this.#outside(() => nextTurn(() => done(this.#run())));
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
    // Others may have released everything while this process was stopped or cut off.
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
      // What is opened here meanwhile stays held.
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
