import { createOutside } from '../../base/async-context.ts';
import { TidingsError, type TidingsErrorCode } from '../../base/errors.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Broker, Draft } from './broker.ts';
import type { BrokerHealth } from './broker-health.ts';
import { CallDeadline } from './call-deadline.ts';

/** Limits of one call of a broker. See {@link Broker.publish}. */
const MAX_DRAFTS = 500;
const MAX_BYTES = 256 * 1024;

/** Approximate number of characters that may be queued: of all channels, and of one channel. */
const MAX_QUEUED = 16 * 1024 * 1024;
const MAX_QUEUED_BY_CHANNEL = 8 * 1024 * 1024;

/** Approximate size of a draft without its data, in characters. */
const OVERHEAD = 256;

/** The epoch and the position of a stored entry. */
export type Stored = readonly [epoch: string, position: Position];

interface QueuedDraft {
  readonly draft: Draft;
  /** Increases with each published draft. */
  readonly number: number;
  readonly size: number;
  /** When the publisher stops waiting (ms, monotonic). */
  readonly deadline: number;
  resolve(stored: Stored): void;
  reject(error: unknown): void;
}

/** The queued drafts of one channel, oldest first. */
interface ChannelQueue {
  drafts: QueuedDraft[];
  /** Index of the first draft. Drafts before it were removed from the queue. */
  next: number;
  size: number;
}

/** The events that wait for the broker. */
export interface QueueStats {
  /** Gauge: events that were published and not yet passed to the broker. */
  queued: number;
  /** Gauge: approximate size of these events, in bytes. Above 16 MiB, `publish` rejects with `not-stored`. */
  queuedBytes: number;
}

/** What a publish queue needs of the broker sync. */
export interface BrokerStarter {
  readonly health: BrokerHealth;
  /** Resolves when the broker can be called. */
  start(): Promise<void>;
}

/**
 * Passes drafts to the broker, one call at a time. Drafts that are published during a call are passed together in the
 * next call, in the order in which they were published.
 *
 * If they exceed the limits of one call, the channels are served round-robin, so that a burst in one channel does not
 * delay the others. In this case, the order is preserved only within each channel.
 */
export class PublishQueue {
  readonly #broker: Broker;
  readonly #starter: BrokerStarter;
  /** ms. */
  readonly #timeout: number;
  readonly #outside = createOutside();
  /** All drafts, oldest first. */
  readonly #queue = new Set<QueuedDraft>();
  /** The same drafts by channel. The channel to be served next comes first. */
  readonly #channels = new Map<string, ChannelQueue>();
  #size = 0;
  #published = 0;
  #running: Promise<void> | undefined;
  #started: Promise<void> | undefined;
  #isStarted = false;
  /** Ends the wait for the start of the broker. */
  #stopWaiting: ((value?: unknown) => void) | undefined;
  readonly #deadline = new CallDeadline();

  /** @param timeout ms after which a publisher stops waiting. */
  constructor(broker: Broker, starter: BrokerStarter, timeout: number) {
    this.#broker = broker;
    this.#starter = starter;
    this.#timeout = timeout;
  }

  /** Resolves when the entry is stored. Rejects with a TidingsError that says whether it may be stored. */
  publish(draft: Draft): Promise<Stored> {
    const size = draft.data.length + OVERHEAD;
    const channel = this.#channels.get(draft.channel);
    const isFull = (channel?.size ?? 0) + size > MAX_QUEUED_BY_CHANNEL && channel !== undefined;
    if (isFull || this.#size + size > MAX_QUEUED) {
      throw new TidingsError(
        'not-stored',
        'the broker is slow, and the publish queue is full: await publish()',
      );
    }
    return new Promise((resolve, reject) => {
      const deadline = performance.now() + this.#timeout;
      this.#add({ draft, number: this.#published++, size, deadline, resolve, reject });
      if (this.#running !== undefined) return;
      this.#running = new Promise(done => {
        this.#outside(async () => {
          // A draft may be queued between the end of a run and this continuation.
          do await this.#run();
          while (this.#queue.size > 0);
          this.#running = undefined;
          done();
        });
      });
    });
  }

  get stats(): QueueStats {
    return { queued: this.#queue.size, queuedBytes: this.#size };
  }

  /** Resolves when the queue is empty and no call is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    for (let oldest = first(this.#queue); oldest !== undefined; oldest = first(this.#queue)) {
      const signal = this.#deadline.begin(oldest.deadline);
      if (!this.#isStarted) await this.#waitForStart(signal);
      if (signal.aborted) this.#expire(oldest);
      else await this.#call(this.#takeBatch(), signal);
    }
    this.#deadline.end();
  }

  async #waitForStart(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise(resolve => {
      this.#stopWaiting = resolve;
      signal.onabort = resolve;
      // One `then` for the lifetime of the queue: one for each wait would stay in memory until the broker has started.
      this.#started ??= this.#starter.start().then(() => {
        this.#isStarted = true;
        this.#stopWaiting?.();
      });
    });
  }

  #add(queued: QueuedDraft): void {
    const { draft, size } = queued;
    let channel = this.#channels.get(draft.channel);
    if (channel === undefined) {
      channel = { drafts: [], next: 0, size: 0 };
      this.#channels.set(draft.channel, channel);
    }
    channel.drafts.push(queued);
    channel.size += size;
    this.#queue.add(queued);
    this.#size += size;
  }

  /** Takes as many drafts as one call accepts: one of each channel, then again from the first channel. */
  #takeBatch(): QueuedDraft[] {
    const batch: QueuedDraft[] = [];
    let size = 0;
    // `#remove` appends a channel that has more drafts to the map, so that the iteration reaches it again.
    for (const [, { drafts, next }] of this.#channels) {
      const queued = drafts[next] as QueuedDraft;
      size += queued.size;
      // The draft stays first for the next call.
      if (batch.length > 0 && size > MAX_BYTES) break;
      this.#remove(queued);
      batch.push(queued);
      if (batch.length === MAX_DRAFTS) break;
    }
    return batch.sort((one, other) => one.number - other.number);
  }

  /** Removes the first draft of a channel, and moves the channel to the end of the order. */
  #remove(queued: QueuedDraft): void {
    const { draft, size } = queued;
    const channel = this.#channels.get(draft.channel) as ChannelQueue;
    this.#queue.delete(queued);
    this.#size -= size;
    channel.size -= size;
    channel.next += 1;
    this.#channels.delete(draft.channel);
    if (channel.next === channel.drafts.length) return;
    this.#channels.set(draft.channel, channel);
    if (channel.next < MAX_DRAFTS) return;
    channel.drafts = channel.drafts.slice(channel.next);
    channel.next = 0;
  }

  /**
   * Rejects the drafts that are due. Always rejects the oldest, because a timer may run up to one millisecond early.
   */
  #expire(oldest: QueuedDraft): void {
    const now = performance.now();
    const error = brokerUnreachable('not-stored', this.#timeout, this.#starter.health.cause);
    for (const queued of this.#queue) {
      if (queued !== oldest && queued.deadline > now) break;
      this.#remove(queued);
      queued.reject(error);
    }
  }

  async #call(batch: readonly QueuedDraft[], signal: AbortSignal): Promise<void> {
    try {
      const drafts = batch.map(({ draft }) => draft);
      const calledAt = performance.now();
      const { epoch, results } = await this.#broker.publish(drafts, signal);
      const [position] = results;
      if (typeof position === 'number') this.#starter.health.stored(position, calledAt);
      batch.forEach(({ resolve, reject }, index) => {
        const result = results[index];
        if (typeof result === 'number') resolve([epoch, result]);
        else reject(result ?? new TidingsError('maybe-stored', 'the broker returned no result'));
      });
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      const error = hasCode
        ? cause
        : new TidingsError('maybe-stored', 'the broker failed, and the event may be stored', { cause });
      for (const { reject } of batch) reject(error);
    }
  }
}

/** Creates the error of a call that has waited `ms` for the broker. */
export function brokerUnreachable(code: TidingsErrorCode, ms: number, cause: unknown): TidingsError {
  const message = `the broker could not be reached for ${ms} ms`;
  if (cause === undefined) return new TidingsError(code, message);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TidingsError(code, `${message}: ${reason}`, { cause });
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const item of set) return item;
  return undefined;
}
