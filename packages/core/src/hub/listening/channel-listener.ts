import { bindContext } from '../../base/async-context.ts';
import { createDeferred } from '../../base/deferred.ts';
import type {
  DeliveryContext,
  DeliveryOutcome,
  DeliverySink,
  DeliveryTarget,
} from '../../delivery/delivery-target.ts';
import { StreamDelivery } from '../../delivery/stream-delivery.ts';
import { guardFilter } from '../../delivery/subscriptions/guard-filter.ts';
import { LogEntry, parseData } from '../../log/entry.ts';
import type { State } from '../../log/snapshots.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import { CallQueue } from './call-queue.ts';
import type { ListenEvent, ListenOptions } from './listen-options.ts';

/** Why a listener receives nothing more. */
export type ListenEnd = 'closed' | 'ended' | 'error';

const ALL = () => true;

/**
 * Receives the events of channels in this process. It has a delivery, like a stream, whose target is a function. While
 * a call of the function is running, `hasRoom` is false, and new events wait in the log, as for a slow consumer.
 */
export class ChannelListener implements DeliveryTarget, DeliverySink {
  readonly context: DeliveryContext;
  readonly channels: ReadonlySet<string>;
  /** The listener is subscribed to its channels. */
  isLive = true;
  readonly lastEventId = undefined;
  /** True, so that the delivery reports resets, which go to `onReset`. `write` ignores the frames of markers. */
  readonly hasMarkers = true;
  readonly canReconnect = false;
  readonly bufferedBytes = 0;
  readonly #delivery: StreamDelivery;
  readonly #queue: CallQueue;
  readonly #listener: (event: ListenEvent) => unknown;
  readonly #onReset: ListenOptions['onReset'];
  readonly #onError: (error: unknown) => void;
  readonly #ready = createDeferred<void>();
  readonly #ended = createDeferred<ListenEnd>();

  /** @throws {TidingsError} `invalid-option`: `from: 'state'` for a channel without state. */
  constructor(
    context: DeliveryContext,
    channels: ReadonlySet<string>,
    listener: (event: ListenEvent) => unknown,
    { from, filter, onReset }: ListenOptions,
    onError: (error: unknown) => void,
  ) {
    this.context = context;
    this.channels = channels;
    this.#listener = bindContext(listener);
    this.#onReset = onReset && bindContext(onReset);
    this.#onError = onError;
    this.#queue = new CallQueue(onError);
    this.#delivery = new StreamDelivery(this);
    this.#delivery.subscribe([...channels], {
      from,
      filter: filter ? guardFilter(filter, undefined, onError) : ALL,
    });
    this.#delivery.opener.startSoon();
  }

  /** Resolves when the listener receives all events that are published from then on, or when it has ended. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves with the reason when the listener has ended and its last call is done. */
  get ended(): Promise<ListenEnd> {
    return this.#ended.promise;
  }

  /** Closes after all events that were published before are received. */
  finish(): void {
    this.#delivery.close();
  }

  /** Closes immediately. Events that were not received yet are dropped. */
  close(): void {
    this.#queue.clear();
    this.#end('closed');
  }

  #end(outcome: ListenEnd): void {
    this.isLive = false;
    this.#delivery.stop();
    this.#ready.resolve();
    const running = this.#queue.run();
    if (running === undefined) this.#ended.resolve(outcome);
    else running.then(() => this.#ended.resolve(outcome));
  }

  // Called by its delivery

  get writer(): DeliverySink {
    return this;
  }

  get hasRoom(): boolean {
    return !this.#queue.isRunning;
  }

  isExcludedBy(): boolean {
    return false;
  }

  receive(channel: string, content: LogEntry | State): void {
    // Formatted here, because the log may have a new epoch when the call runs.
    const id = content instanceof LogEntry ? this.context.log.id(content.position) : undefined;
    this.#queue.push(() => this.#listener(eventOf(id, channel, content)));
  }

  /** Runs the calls that `receive` and `resetQueued` have queued. The frame itself is for clients, and is ignored. */
  write(): void {
    void this.#queue.run()?.then(() => this.#delivery.resume());
  }

  resetQueued(reason: ResetReason, channels: readonly string[]): void {
    this.#queue.push(() => this.#onReset?.({ reason, channels: [...channels] }));
  }

  report(error: unknown): void {
    this.#onError(error);
  }

  began(): void {}

  directSendsWritten(): void {}

  deliveryReady(): void {
    this.#ready.resolve();
  }

  deliveryOver(outcome: DeliveryOutcome, error?: unknown): void {
    if (outcome === 'error') this.#onError(error);
    this.#end(outcome === 'ended' || outcome === 'error' ? outcome : 'closed');
  }
}

function eventOf(id: string | undefined, channel: string, content: LogEntry | State): ListenEvent {
  const { event } = content;
  const { key, kind } = content instanceof LogEntry ? content : { key: content.event, kind: 'event' };
  return { id, channel, event, key, gone: kind === 'gone', data: parseData(content) };
}
