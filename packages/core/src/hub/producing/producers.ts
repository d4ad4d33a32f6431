import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { pump, type SourceTarget } from '../../stream/sending/source.ts';
import type { SourceInput } from '../../stream/sending/source-options.ts';
import { type ProducerOptions, readProducerOptions } from './producer-options.ts';

/** What producers need of their hub. */
export interface ProducersOptions {
  readonly log: Log;
  /** Publishes to a channel. A rejection is reported already. */
  readonly publish: (
    channel: string,
    data: unknown,
    fields: { event: string | undefined },
  ) => Promise<string>;
  readonly end: (channel: string) => Promise<string>;
  readonly onError: (error: unknown, channel: string) => void;
}

/** ms before an item is published again that the broker could not store. */
const RETRY = 1_000;

/** One call of `channel.from()`. */
class Producer implements SourceTarget {
  readonly #controller = new AbortController();
  readonly #store: (data: unknown, event: string | undefined) => Promise<unknown>;
  /** The head when it began: messages up to there do not mean it. Undefined: the broker had not begun. */
  readonly began: string | undefined;
  /** Settles when the last item is stored, and the channel has ended. */
  done: Promise<boolean> = Promise.resolve(false);
  /** Why the last item was not stored. It is reported already. */
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

  /** An item that is known not to be stored is published again, until the broker is back. */
  async #retry(store: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await store();
        return;
      } catch (error) {
        const isAway = (error as { code?: unknown } | null)?.code === 'not-stored';
        if (!isAway || this.signal.aborted) {
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

/** The sources that are published to channels by this process. */
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
   * @param position of the message that asks for it: sources that began later go on. Default: all.
   */
  stop(channel: string, position: Position = Number.POSITIVE_INFINITY): void {
    const { log } = this.#options;
    for (const producer of this.#running.get(channel) ?? []) {
      if (position > (log.positionIn(producer.began) ?? log.origin)) producer.abort();
    }
  }

  /**
   * Cancels all sources, and those that begin later.
   *
   * @returns resolves when their last items and ends are stored; undefined if there are none.
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
    // When it was cancelled, the last item may be on its way.
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
