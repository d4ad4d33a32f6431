import { forEachYielding, IterationBudget, nextIteration } from '../base/event-loop.ts';
import { Scheduler } from '../base/scheduler.ts';
import type { DeliveryAccess } from '../delivery/delivery-access.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { CloseReason, ErrorContext, StreamOptions } from '../stream/event-stream.ts';
import type { StreamHost } from '../stream/response/stream-host.ts';
import { type Range, RETRY_AFTER_LOSS, RETRY_LATER, randomBetween } from '../stream/retry.ts';
import { Stream } from '../stream/stream.ts';
import { readStreamOptions } from '../stream/stream-options.ts';
import type { Transport } from '../stream/transport.ts';
import { Authorizer } from './access/authorizer.ts';
import { Slices } from './access/slices.ts';
import type { Clients } from './clients.ts';
import type { Counters } from './observability/counters.ts';
import type { HubSettings } from './options/options.ts';
import type { Presence } from './presence/presence.ts';

/** What a stream registry needs of its hub. */
export interface StreamRegistryOptions {
  readonly settings: HubSettings;
  readonly scheduler: Scheduler;
  readonly context: DeliveryContext;
  readonly clients: Clients<Stream>;
  readonly counters: Counters;
  readonly presence: Presence | undefined;
  readonly onError: (error: unknown, context: ErrorContext) => void;
}

const isWorkers =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === 'Cloudflare-Workers';

/** The open streams of a hub. Accepts or refuses each request, and reports to counters and observers. */
export class StreamRegistry {
  readonly streams = new Set<Stream>();
  readonly #options: StreamRegistryOptions;
  readonly #host: StreamHost<Stream>;
  readonly #rechecks = new Slices<DeliveryAccess>(access => access.recheckNext());
  /** Set when the hub closes: the range of the reconnection time for refused clients, in ms. */
  #refusedRetry: Range | undefined;

  constructor(options: StreamRegistryOptions) {
    this.#options = options;
    this.#host = this.#createHost();
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions): Stream {
    const { settings, clients, counters, presence } = this.#options;
    const host = isWorkers ? this.#createWorkersHost() : this.#host;
    const stream = new Stream(host, transport, request, readStreamOptions(options));
    const isFull = this.streams.size >= settings.maxStreams;
    if (transport.closed) {
      stream.abort('disconnected');
    } else if (request.method === 'HEAD') {
      stream.reject('closed');
    } else if (this.#refusedRetry !== undefined || (isFull && !stream.hasReceivedAll)) {
      stream.reject('refused', randomBetween(this.#refusedRetry ?? RETRY_LATER));
      counters.refused(stream);
    } else {
      // A request that will get 204 does not count against `perClient`.
      if (!stream.hasReceivedAll) this.#closeOldest(stream);
      this.streams.add(stream);
      clients.add(stream);
      counters.opened(stream);
      presence?.opened(stream);
      stream.response.start();
    }
    return stream;
  }

  /** Refuses every request from now on. */
  refuse(retry: Range): void {
    this.#host.isDraining = true;
    this.#refusedRetry = retry;
  }

  /**
   * Ends the streams that a lost control message may have named, without blocking the event loop. The clients
   * reconnect, and the application authenticates and subscribes them again. They resume from their current position,
   * and no newer event is delivered before: a lost message may have added a channel to the stream.
   */
  async disconnectNamed(): Promise<void> {
    const streams = [...this.streams].filter(({ isNamed }) => isNamed);
    // In a new epoch, positions begin again. No earlier message names one of these streams.
    for (const stream of this.streams) if (!stream.isNamed) stream.openedAt = 0;
    for (const { response } of streams) {
      const after = response.delivery?.reader.position;
      response.beginEnd('closed', { retry: randomBetween(RETRY_AFTER_LOSS), after });
    }
    // The streams may also have lost events. The reset for these is queued first.
    await new Promise<void>(nextIteration);
    await forEachYielding(streams, stream => stream.end('closed'));
  }

  /**
   * Calls `authorize` again for the channels of a stream.
   *
   * @param isUrgent whether the channels are not delivered until `authorize` has allowed them.
   */
  recheck(stream: Stream, isUrgent: boolean): void {
    const access = stream.isOpen ? stream.response.delivery?.access : undefined;
    if (access === undefined) return;
    if (isUrgent) access.hold();
    this.#rechecks.push(access);
  }

  /**
   * Closes the oldest streams of a client above `perClient`. The new stream is not refused, because a phone that
   * changes networks would be locked out by its dead connections.
   */
  #closeOldest({ client }: Stream): void {
    if (client === undefined) return;
    const { clients, settings } = this.#options;
    const newestFirst = [...clients.get(client)].filter(stream => stream.isOpen).reverse();
    for (const stream of newestFirst.slice(settings.maxPerClient - 1)) {
      stream.end('replaced', { retry: randomBetween(RETRY_LATER) });
    }
  }

  #createHost(): StreamHost<Stream> {
    const { settings, scheduler, context, counters, onError } = this.#options;
    const { authorize, authorizeTimeout: timeout, revokedEvent } = settings;
    const guard =
      authorize &&
      new Authorizer({
        authorize,
        timeout,
        revokedEvent,
        report: onError,
        onCall: (stream, call) => counters.authorizeCalled(stream, call),
      });
    return {
      scheduler,
      limits: settings,
      context,
      isDraining: false,
      guard,
      mayWait: context.sync !== undefined || guard !== undefined,
      recheck: stream => this.recheck(stream, false),
      responses: new IterationBudget(),
      report: onError,
      streamNamed: stream => this.#options.clients.name(stream),
      streamClosed: (stream, reason, id) => this.#streamClosed(stream, reason, id),
      streamWritten: (events, bytes) => counters.delivered(events, bytes),
      streamLagging: stream => counters.lagging(stream),
      streamReset: (stream, reason, channels) => counters.reset(stream, reason, channels),
      streamBegan: (stream, replay) => counters.began(stream, replay),
    };
  }

  /** On Workers, a timer ends with the request that created it, so each stream has its own clock. */
  #createWorkersHost(): StreamHost<Stream> {
    const scheduler = new Scheduler(this.#options.settings.precision, start => start());
    return { ...this.#host, scheduler, responses: new IterationBudget() };
  }

  #streamClosed(stream: Stream, reason: CloseReason, id: string | undefined): void {
    const { clients, counters, presence } = this.#options;
    clients.delete(stream, id);
    // False for a stream that was never opened: it was rejected, or its client had already disconnected.
    if (!this.streams.delete(stream)) return;
    presence?.closed(stream);
    counters.closed(stream, reason);
  }
}
