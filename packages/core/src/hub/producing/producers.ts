import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { pump, type SourceTarget } from '../../stream/sending/source.ts';
import type { SourceInput } from '../../stream/sending/source-options.ts';
import { type ProducerOptions, readProducerOptions } from './producer-options.ts';

/** What producers need of their hub. */
export interface ProducersOptions {
  readonly log: Log;
  /** Publishes to a channel. Also reports a rejection. */
  readonly publish: (
    channel: string,
    data: unknown,
    fields: { event: string | undefined },
  ) => Promise<string>;
  readonly end: (channel: string) => Promise<string>;
  readonly onError: (error: unknown, channel: string) => void;
}

/** Average ms to wait before an item that the broker could not store is published again. */
const RETRY = 1_000;

/** One call of `channel.from()`. */
class Producer implements SourceTarget {
  readonly #controller = new AbortController();
  readonly #store: (data: unknown, event: string | undefined) => Promise<unknown>;
  /**
   * The id of the newest position when the producer began. `stop` messages up to it do not apply to this producer.
   * Undefined: the position was not known.
   */
  readonly began: string | undefined;
  /** Settles when the last item is stored, and the channel has ended. */
  done: Promise<boolean> = Promise.resolve(false);
  /** Why the last item was not stored. Already reported. */
  failure: unknown;
  #stored: Promise<unknown> = Promise.resolve();
  /** Ends the wait between two attempts. */
  #stopWaiting: (() => void) | undefined;

  constructor(
    began: string | undefined,
    store: (data: unknown, event: string | undefined) => Promise<unknown>,
  ) {
    this.began = began;
    this.#store = store;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly abort = (): void => {
    this.#controller.abort();
    this.#stopWaiting?.();
  };

  send(data: unknown, { event }: { event: string | undefined }): boolean {
    this.#stored = this.#retry(() => this.#store(data, event));
    return false;
  }

  drained(): Promise<unknown> {
    return this.#stored;
  }

  /**
   * Publishes an item again while it is rejected as `not-stored`, so that it is stored once the broker is reachable.
   */
  async #retry(store: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await store();
        return;
      } catch (error) {
        const isNotStored = (error as { code?: unknown } | null)?.code === 'not-stored';
        if (!isNotStored || this.signal.aborted) {
          this.failure = error;
          throw error;
        }
        await new Promise<void>(resolve => {
          const timer = setTimeout(resolve, RETRY * (0.5 + Math.random()));
          this.#stopWaiting = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    }
  }
}

/** The running `channel.from()` calls of this process. */
export class Producers {
  readonly #options: ProducersOptions;
  readonly #running = new Map<string, Set<Producer>>();
  #isClosed = false;

  constructor(options: ProducersOptions) {
    this.#options = options;
  }

  /** @throws {TidingsError} `invalid-option`, naming the option. */
  run<T>(channel: string, source: SourceInput<T>, options: ProducerOptions<T> | undefined): Promise<boolean> {
    const checked = readProducerOptions(options);
    const { log, publish } = this.#options;
    const began = log.now === undefined ? undefined : log.id(log.now);
    const producer = new Producer(began, (data, event) => publish(channel, data, { event }));
    if (this.#isClosed || checked.signal?.aborted) producer.abort();
    checked.signal?.addEventListener('abort', producer.abort);
    this.#add(channel, producer);
    producer.done = this.#produce(channel, producer, source, checked).finally(() => {
      checked.signal?.removeEventListener('abort', producer.abort);
      this.#delete(channel, producer);
    });
    return producer.done;
  }

  /**
   * Cancels the sources of a channel in this process.
   *
   * @param position the position of the `stop` message. Sources that began later continue. Default: all are cancelled.
   */
  stop(channel: string, position: Position = Number.POSITIVE_INFINITY): void {
    const { log } = this.#options;
    for (const producer of this.#running.get(channel) ?? []) {
      if (position > (log.positionIn(producer.began) ?? log.origin)) producer.abort();
    }
  }

  /**
   * Cancels all sources, and all that begin later.
   *
   * @returns a promise that resolves when the last items and the ends are stored. Undefined if no source is running.
   */
  close(): Promise<unknown> | undefined {
    this.#isClosed = true;
    const running = [...this.#running.values()].flatMap(producers => [...producers]);
    for (const producer of running) producer.abort();
    return running.length === 0 ? undefined : Promise.all(running.map(({ done }) => done));
  }

  async #produce<T>(
    channel: string,
    producer: Producer,
    source: SourceInput<T>,
    { end, ...options }: ProducerOptions<T>,
  ): Promise<boolean> {
    const { onError } = this.#options;
    let isComplete = false;
    try {
      isComplete = await pump(producer, source, options, error => onError(error, channel));
    } catch (error) {
      if (error !== producer.failure) onError(error, channel);
    }
    // After a cancellation, the last item may not be stored yet.
    await producer.drained().catch(() => {});
    if (end === false) return isComplete;
    return this.#options.end(channel).then(
      () => isComplete,
      () => false,
    );
  }

  #add(channel: string, producer: Producer): void {
    const producers = this.#running.get(channel) ?? new Set();
    this.#running.set(channel, producers.add(producer));
  }

  #delete(channel: string, producer: Producer): void {
    const producers = this.#running.get(channel);
    if (producers?.delete(producer) && producers.size === 0) this.#running.delete(channel);
  }
}
