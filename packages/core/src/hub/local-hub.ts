import { TidingsError } from '../base/errors.ts';
import { TurnBudget } from '../base/event-loop.ts';
import { Scheduler } from '../base/scheduler.ts';
import { DeliveryLoop } from '../delivery/delivery-loop.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { CONTROL_CHANNEL } from '../log/broker.ts';
import { BrokerSync } from '../log/broker-sync.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import type { Entry } from '../log/entry.ts';
import { Log } from '../log/log.ts';
import { PublishQueue } from '../log/publish-queue.ts';
import { type ChannelName, nameOf } from '../protocol/channel-name.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { CloseReason, ErrorContext, EventStream, StreamOptions } from '../stream/event-stream.ts';
import { createRetry, RETRY_LATER, randomBetween } from '../stream/retry.ts';
import { Stream, type StreamHost } from '../stream/stream.ts';
import { readStreamOptions } from '../stream/stream-options.ts';
import type { Transport } from '../stream/transport.ts';
import { Clients } from './clients.ts';
import { CONTROL_SETTINGS, controlDraft, parseControl } from './control.ts';
import { Counters, type HubStats } from './counters.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import { type ChannelOptions, type CloseOptions, type HubSettings, readCloseOptions } from './options.ts';
import { readPublished } from './publish-fields.ts';
import { Publisher } from './publisher.ts';

/** Bytes of all histories together. */
const MAX_HISTORY_BYTES = 64 * 1024 * 1024;

const isWorkers =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === 'Cloudflare-Workers';

/** The hub of one process. With a broker, it is one of several that share a log. */
export class LocalHub implements Hub {
  readonly streams = new Set<Stream>();
  readonly clients: Clients<Stream>;
  readonly #settings: HubSettings;
  readonly #scheduler: Scheduler;
  readonly #counters: Counters;
  readonly #context: DeliveryContext;
  readonly #publisher: Publisher;
  readonly #host: StreamHost;
  readonly #pinned = new Map<string, ChannelSettings>();
  /** Names this hub in control messages. Made at first use: Workers allow no randomness at module scope. */
  #name: string | undefined;
  /** Set by `close()`: ms after which clients that connect from now on are to reconnect. */
  #retry: readonly [min: number, max: number] | undefined;
  #drained: Promise<void> | undefined;

  constructor(settings: HubSettings) {
    this.#settings = settings;
    this.#scheduler = new Scheduler(settings.precision);
    this.#counters = new Counters(settings.observer, error => this.#report(error, { stage: 'observer' }));
    const { broker, publishTimeout } = settings;
    const log = new Log({
      settingsOf: name => this.#settingsOf(name),
      maxBytes: MAX_HISTORY_BYTES,
      isRemote: broker !== undefined,
      scheduler: this.#scheduler,
      onDropped: name => this.#channelDropped(name),
    });
    const sync =
      broker &&
      new BrokerSync(broker, log, {
        onError: error => this.#report(error, { stage: 'broker' }),
        onControl: entry => this.#obey(entry),
        onControlLost: () => this.#disconnectAll(),
      });
    const queue = broker && sync && new PublishQueue(broker, () => sync.start(), publishTimeout);
    this.#context = { log, loop: new DeliveryLoop(log), sync };
    this.clients = new Clients(async client => {
      await queue?.publish(controlDraft({ from: this.#ownName, disconnect: client }));
    });
    this.#publisher = new Publisher({
      log,
      queue,
      settingsOf: name => this.#settingsOf(name),
      onPublished: channel => {
        this.#counters.totals.published += 1;
        this.#counters.notify('published', channel);
      },
      onError: (error, channel) => this.#report(error, { stage: 'publish', channel }),
    });
    this.#host = this.#createHost();
  }

  // Streams

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    const host = isWorkers ? this.#createWorkersHost() : this.#host;
    const stream = new Stream(host, transport, request, readStreamOptions(options));
    const isFull = this.streams.size >= this.#settings.maxStreams;
    if (transport.closed) {
      stream.abort('disconnected');
    } else if (request.method === 'HEAD') {
      stream.reject('closed', options.retry);
    } else if (this.#retry !== undefined || (isFull && !stream.hasReceivedAll)) {
      stream.reject('refused', randomBetween(this.#retry ?? RETRY_LATER));
      this.#counters.totals.refused += 1;
      this.#counters.notify('refused', stream);
    } else {
      // A request that will get 204 does not count against `perClient`.
      if (!stream.hasReceivedAll) this.#makeRoom(stream);
      this.streams.add(stream);
      this.clients.add(stream);
      this.#counters.totals.opened += 1;
      this.#counters.notify('opened', stream);
      stream.start();
    }
    return stream;
  }

  /** Closes a client's oldest streams: a phone that changes networks must not be locked out by its dead connections. */
  #makeRoom({ client }: Stream): void {
    if (client === undefined) return;
    const newestFirst = [...this.clients.get(client)].filter(stream => stream.isOpen).reverse();
    for (const stream of newestFirst.slice(this.#settings.maxPerClient - 1)) {
      stream.end('replaced', createRetry());
    }
  }

  #createHost(): StreamHost {
    const counters = this.#counters;
    return {
      scheduler: this.#scheduler,
      limits: this.#settings,
      context: this.#context,
      responses: new TurnBudget(),
      report: (error, context) => this.#report(error, context),
      streamClosed: (stream, reason) => this.#streamClosed(stream, reason),
      streamWritten: (events, bytes) => counters.delivered(events, bytes),
      streamLagging: stream => counters.notify('lagging', stream),
      streamReset: (stream, reason, channels) => {
        counters.totals.resets += 1;
        counters.notify('reset', stream, reason, channels);
      },
      streamResumed: stream => {
        counters.totals.replayed += 1;
        counters.notify('replayed', stream);
      },
    };
  }

  /** On Workers a timer ends with the request that created it, so each stream has a clock of its own. */
  #createWorkersHost(): StreamHost {
    const scheduler = new Scheduler(this.#settings.precision, start => start());
    return { ...this.#host, scheduler, responses: new TurnBudget() };
  }

  #streamClosed(stream: Stream, reason: CloseReason): void {
    this.clients.delete(stream);
    // One that was turned away, or whose client was gone before, was never opened.
    if (!this.streams.delete(stream)) return;
    this.#counters.closed(reason);
    this.#counters.notify('closed', stream, reason);
  }

  // Channels

  publish(channel: ChannelName, data: unknown, fields?: PublishFields): Promise<string> {
    return this.#publisher.append(channel, () => readPublished(data, fields));
  }

  channel<Name extends string>(
    channel: Name,
    options?: ChannelOptions,
  ): Channel<Record<string, unknown>, Name> {
    const name = nameOf(channel) as Name;
    if (options !== undefined) this.#pin(name, this.#settings.channel(name, options));
    const { log } = this.#context;
    const append = (kind: 'end' | 'begin') =>
      this.#publisher.append(name, () => ({ kind, json: false, data: '' }));
    return {
      name,
      get subscriberCount() {
        return log.channels.find(name)?.listeners.size ?? 0;
      },
      publish: (data: unknown, fields?: PublishFields) => this.publish(name, data, fields),
      end: () => append('end'),
      begin: () => append('begin'),
      state: () => this.#stateOf(name),
    };
  }

  async #stateOf(name: string): ReturnType<Channel['state']> {
    const { broker } = this.#settings;
    const { sync } = this.#context;
    if (broker === undefined || sync === undefined) return this.#publisher.stateHere(name);
    const { state } = await this.#withinTimeout(sync.start().then(() => broker.state(name)));
    return state;
  }

  async position(): Promise<string> {
    const { log, sync } = this.#context;
    if (sync === undefined) return log.id(log.head);
    const { epoch, head } = await this.#withinTimeout(sync.head());
    return log.acknowledge(epoch, head);
  }

  async #withinTimeout<T>(call: Promise<T>): Promise<T> {
    const { publishTimeout } = this.#settings;
    try {
      return await within(publishTimeout, call, () => {
        return new TidingsError('broker', `the broker could not be reached for ${publishTimeout} ms`);
      });
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      throw hasCode ? cause : new TidingsError('broker', 'the broker failed', { cause });
    }
  }

  #settingsOf(name: string): ChannelSettings {
    if (name === CONTROL_CHANNEL) return CONTROL_SETTINGS;
    return this.#pinned.get(name) ?? this.#settings.channel(name);
  }

  #pin(name: string, settings: ChannelSettings): void {
    this.#pinned.set(name, settings);
    this.#context.log.channels.configure(name, settings);
  }

  #channelDropped(name: string): void {
    this.#context.sync?.release(name);
    this.#counters.totals.dropped += 1;
    this.#counters.notify('dropped', name);
  }

  // Control messages

  get #ownName(): string {
    this.#name ??= crypto.randomUUID();
    return this.#name;
  }

  /** Does what the hub of another process has asked for. */
  #obey(entry: Entry): void {
    const message = parseControl(entry);
    if (message !== undefined && message.from !== this.#name) this.clients.close(message.disconnect);
  }

  /** Control messages were lost: any client may have been meant. Access ends, and clients are authenticated again. */
  #disconnectAll(): void {
    for (const [, streams] of [...this.clients]) {
      for (const stream of streams) stream.end('closed', createRetry([1_000, 15_000]));
    }
  }

  // The hub

  stats(): HubStats {
    const streams = [...this.streams];
    const { channels } = this.#context.log;
    return {
      streams: streams.length,
      clients: this.clients.size,
      channels: channels.size - (channels.find(CONTROL_CHANNEL) === undefined ? 0 : 1),
      historyBytes: channels.bytes,
      lagging: streams.filter(stream => stream.isLagging).length,
      bufferedBytes: streams.reduce((sum, stream) => sum + stream.bufferedBytes, 0),
      ...structuredClone(this.#counters.totals),
    };
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#retry = checked.retry;
      // Until every stream is closed, a handler that is told of the end of its stream may publish that.
      this.#drained = drain([...this.streams], checked).then(async () => {
        await this.#publisher.close();
        this.#context.log.channels.close();
        await this.#context.sync?.close();
      });
    }
    return this.#drained;
  }

  #report(error: unknown, context: ErrorContext): void {
    // It may return a promise.
    new Promise(resolve => {
      resolve(this.#settings.onError(error, context));
    }).catch(failure => console.error('tidings: onError failed:', failure));
  }
}
