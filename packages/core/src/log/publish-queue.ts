import { createOutside } from '../base/async-context.ts';
import { TidingsError } from '../base/errors.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Broker, Draft } from './broker.ts';
import { CallDeadline } from './call-deadline.ts';

/** The most that one call of a broker takes. */
const MAX_DRAFTS = 500;
const MAX_BYTES = 256 * 1024;

/** Characters that may be queued, about. */
const MAX_QUEUED = 16 * 1024 * 1024;

/** Characters that a draft takes beside its data, about. */
const OVERHEAD = 256;

/** Where an entry was stored: its epoch and its position. */
export type Stored = readonly [epoch: string, position: Position];

interface QueuedDraft {
  readonly draft: Draft;
  readonly size: number;
  /** ms, monotonic: when its publisher stops waiting. */
  readonly deadline: number;
  resolve(stored: Stored): void;
  reject(error: unknown): void;
}

/**
 * Drafts on their way to the broker: in order, one call at a time. Drafts that are published while a call is under way
 * go out together with the next.
 */
export class PublishQueue {
  readonly #broker: Broker;
  readonly #start: () => Promise<void>;
  /** ms. */
  readonly #timeout: number;
  readonly #outside = createOutside();
  #queue: QueuedDraft[] = [];
  #size = 0;
  #running: Promise<void> | undefined;
  #started: Promise<void> | undefined;
  #isStarted = false;
  /** Ends the wait for the start. */
  #stopWaiting: ((value?: unknown) => void) | undefined;
  readonly #deadline = new CallDeadline();

  /**
   * @param start resolves when the broker can be called.
   * @param timeout ms after which a publisher stops waiting.
   */
  constructor(broker: Broker, start: () => Promise<void>, timeout: number) {
    this.#broker = broker;
    this.#start = start;
    this.#timeout = timeout;
  }

  /** Resolves when the entry is stored. Rejects with a TidingsError that says whether it may be stored. */
  publish(draft: Draft): Promise<Stored> {
    const size = draft.data.length + OVERHEAD;
    if (this.#size + size > MAX_QUEUED) {
      throw new TidingsError('not-stored', 'more is published than the broker takes: the queue is full');
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ draft, size, deadline: performance.now() + this.#timeout, resolve, reject });
      this.#size += size;
      if (this.#running !== undefined) return;
      this.#running = new Promise(done => {
        this.#outside(async () => {
          // A draft may be queued between the end of a run and this continuation.
          do await this.#run();
          while (this.#queue.length > 0);
          this.#running = undefined;
          done();
        });
      });
    });
  }

  /** Resolves when the queue is empty and no call is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const signal = this.#deadline.begin(first.deadline);
      if (!this.#isStarted) await this.#waitForStart(signal);
      if (signal.aborted) this.#expire();
      else await this.#call(this.#takeBatch(), signal);
    }
    this.#deadline.end();
  }

  async #waitForStart(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise(resolve => {
      this.#stopWaiting = resolve;
      signal.onabort = resolve;
      // Called once: a promise would hold every publisher that stopped waiting for as long as the broker is away.
      this.#started ??= this.#start().then(() => {
        this.#isStarted = true;
        this.#stopWaiting?.();
      });
    });
  }

  /** Takes as many drafts as one call can carry. */
  #takeBatch(): QueuedDraft[] {
    let count = 0;
    for (let size = 0; count < Math.min(this.#queue.length, MAX_DRAFTS); count++) {
      size += (this.#queue[count] as QueuedDraft).size;
      if (count > 0 && size > MAX_BYTES) break;
    }
    return this.#remove(count);
  }

  #expire(): void {
    const now = performance.now();
    // The first has expired: a timer may be early by part of a millisecond.
    let count = 1;
    while ((this.#queue[count]?.deadline as number) <= now) count++;
    for (const { reject } of this.#remove(count)) {
      reject(new TidingsError('not-stored', `the broker could not be reached for ${this.#timeout} ms`));
    }
  }

  #remove(count: number): QueuedDraft[] {
    const removed = this.#queue.splice(0, count);
    for (const { size } of removed) this.#size -= size;
    return removed;
  }

  async #call(batch: readonly QueuedDraft[], signal: AbortSignal): Promise<void> {
    try {
      const drafts = batch.map(({ draft }) => draft);
      const { epoch, results } = await this.#broker.publish(drafts, signal);
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (typeof result === 'number') resolve([epoch, result]);
        else reject(result ?? new TidingsError('maybe-stored', 'the broker returned no result'));
      });
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      const error = hasCode ? cause : new TidingsError('maybe-stored', 'the broker failed', { cause });
      for (const { reject } of batch) reject(error);
    }
  }
}
