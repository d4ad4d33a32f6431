import { createOutside } from '../base/async-context.ts';
import { TidingsError } from '../base/errors.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Broker, Draft } from './broker.ts';

/** What one call of a broker takes. */
const MAX_DRAFTS = 500;
const MAX_BYTES = 256 * 1024;

/** Characters that may wait for the broker, about. */
const MAX_WAITING = 16 * 1024 * 1024;

/** What a draft takes beside its data, about. */
const OVERHEAD = 256;

interface Waiting {
  readonly draft: Draft;
  readonly size: number;
  /** Ms, monotonic: when its publisher gives up. */
  readonly deadline: number;
  resolve(place: [epoch: string, position: Position]): void;
  reject(error: unknown): void;
}

/**
 * The deadlines of calls that follow each other. Nearly all are answered long before, so that many share a signal and
 * a timer: to make them costs more than the rest of what is done for a call.
 */
class Deadline {
  #controller = new AbortController();
  /** Ms, monotonic: of the call under way. Never before that of the last. */
  #due: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A call begins: returns what is aborted when it is due. */
  begin(due: number): AbortSignal {
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    this.#due = due;
    const left = due - performance.now();
    if (left <= 0) this.#controller.abort();
    else if (this.#timer === undefined) this.#watch(left);
    else this.#timer.ref?.();
    return this.#controller.signal;
  }

  /** No call is under way: nobody need wait for this. */
  end(): void {
    this.#due = undefined;
    this.#timer?.unref?.();
  }

  #watch(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#due === undefined) return;
      // A timer may be early by part of a millisecond.
      const left = Math.ceil(this.#due - performance.now());
      if (left > 0) this.#watch(left);
      else this.#controller.abort();
    }, ms);
  }
}

/** What is on its way to the broker: in order, one call at a time, so that what comes meanwhile goes together. */
export class Outbox {
  readonly #broker: Broker;
  readonly #start: () => Promise<void>;
  /** Ms. */
  readonly #timeout: number;
  readonly #outside = createOutside();
  #queue: Waiting[] = [];
  #size = 0;
  #running: Promise<void> | undefined;
  #started: Promise<void> | undefined;
  #isStarted = false;
  /** Ends the wait for the start. */
  #wake: ((value?: unknown) => void) | undefined;
  readonly #deadline = new Deadline();

  /**
   * @param start resolves when the broker can be called.
   * @param timeout ms after which a publisher gives up.
   */
  constructor(broker: Broker, start: () => Promise<void>, timeout: number) {
    this.#broker = broker;
    this.#start = start;
    this.#timeout = timeout;
  }

  /** Resolves when the entry is stored, with where that is; rejects with a TidingsError that says whether it may be. */
  publish(draft: Draft): Promise<[epoch: string, position: Position]> {
    const size = draft.data.length + OVERHEAD;
    if (this.#size + size > MAX_WAITING) {
      throw new TidingsError('not-stored', 'the broker takes less than is published');
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ draft, size, deadline: performance.now() + this.#timeout, resolve, reject });
      this.#size += size;
      if (this.#running !== undefined) return;
      this.#running = new Promise(done => {
        this.#outside(async () => {
          // Something may come between the end of a run and this learning of it.
          do await this.#run();
          while (this.#queue.length > 0);
          this.#running = undefined;
          done();
        });
      });
    });
  }

  /** Resolves when nothing is on its way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const signal = this.#deadline.begin(first.deadline);
      if (!this.#isStarted) await this.#waitForStart(signal);
      if (signal.aborted) this.#expire();
      else await this.#call(this.#take(), signal);
    }
    this.#deadline.end();
  }

  async #waitForStart(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise(resolve => {
      this.#wake = resolve;
      signal.onabort = resolve;
      // Asked once: all who gave up would else be kept by the promise for as long as the broker is away.
      this.#started ??= this.#start().then(() => {
        this.#isStarted = true;
        this.#wake?.();
      });
    });
  }

  /** Takes what one call can carry. */
  #take(): Waiting[] {
    let count = 0;
    for (let size = 0; count < Math.min(this.#queue.length, MAX_DRAFTS); count++) {
      size += (this.#queue[count] as Waiting).size;
      if (count > 0 && size > MAX_BYTES) break;
    }
    return this.#remove(count);
  }

  #expire(): void {
    const now = performance.now();
    // The first is due: a timer may be early by part of a millisecond.
    let count = 1;
    while ((this.#queue[count]?.deadline as number) <= now) count++;
    for (const { reject } of this.#remove(count)) {
      reject(new TidingsError('not-stored', `the broker was not there for ${this.#timeout} ms`));
    }
  }

  #remove(count: number): Waiting[] {
    const removed = this.#queue.splice(0, count);
    for (const { size } of removed) this.#size -= size;
    return removed;
  }

  async #call(batch: readonly Waiting[], signal: AbortSignal): Promise<void> {
    try {
      const { epoch, results } = await this.#broker.publish(
        batch.map(({ draft }) => draft),
        signal,
      );
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (typeof result === 'number') resolve([epoch, result]);
        else reject(result ?? new TidingsError('maybe-stored', 'the broker gave no answer'));
      });
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      const error = hasCode ? cause : new TidingsError('maybe-stored', 'the broker failed', { cause });
      for (const { reject } of batch) reject(error);
    }
  }
}
