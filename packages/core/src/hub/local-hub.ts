import { TidingsError } from '../base/errors.ts';
import { Scheduler } from '../base/scheduler.ts';
import { DeliveryLoop } from '../delivery/delivery-loop.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { CONTROL_CHANNEL } from '../log/broker.ts';
import { BrokerSync } from '../log/broker-sync.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import { Log } from '../log/log.ts';
import { brokerAway, PublishQueue } from '../log/publish-queue.ts';
import { type ChannelName, nameOf, namesOf } from '../protocol/channel-name.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { ErrorContext, EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { Transport } from '../stream/transport.ts';
import { Clients } from './clients.ts';
import { CONTROL_SETTINGS, ControlMessages } from './control.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import type { ListenEvent, ListenOptions } from './listening/listen-options.ts';
import { Listeners, type Listening } from './listening/listeners.ts';
import { createChannel } from './local-channel.ts';
import { Counters } from './observability/counters.ts';
import type { HubStats } from './observability/hub-stats.ts';
import type { Observer } from './observability/observer.ts';
import { readChannelStats, readStats } from './observability/read-stats.ts';
import {
  type ChannelOptions,
  type CloseOptions,
  type CloseSettings,
  type HubSettings,
  readCloseOptions,
  readObserver,
} from './options.ts';
import { Producers } from './producers.ts';
import { readPublished } from './publish-fields.ts';
import { Publisher } from './publisher.ts';
import { StreamRegistry } from './stream-registry.ts';

/** Bytes of all histories together. */
const MAX_HISTORY_BYTES = 64 * 1024 * 1024;

/** The hub of one process. With a broker, it is one of several that share a log. */
export class LocalHub implements Hub {
  readonly #clients: Clients<Stream>;
  readonly #settings: HubSettings;
  readonly #counters: Counters;
  readonly #context: DeliveryContext;
  readonly #publisher: Publisher;
  readonly #producers: Producers;
  readonly #listeners: Listeners;
  readonly #registry: StreamRegistry;
  readonly #pinned = new Map<string, ChannelSettings>();
  readonly #queue: PublishQueue | undefined;
  #drained: Promise<void> | undefined;

  constructor(settings: HubSettings) {
    this.#settings = settings;
    const scheduler = new Scheduler(settings.precision);
    const control = new ControlMessages();
    this.#counters = new Counters(error => this.#report(error, { stage: 'observer' }));
    if (settings.observer !== undefined) this.#counters.observers.add(settings.observer);
    const broker = settings.broker && this.#counters.timed(settings.broker);
    const log = new Log({
      settingsOf: name => this.#settingsOf(name),
      maxBytes: MAX_HISTORY_BYTES,
      isRemote: broker !== undefined,
      scheduler,
      onDropped: name => this.#channelDropped(name),
    });
    const sync =
      broker &&
      new BrokerSync(broker, log, {
        onError: error => this.#report(error, { stage: 'broker' }),
        onControl: entry => {
          const client = control.clientToDisconnect(entry);
          if (client !== undefined) this.#clients.close(client, entry.position);
        },
        // The lost messages may have named any client.
        onControlLost: () => void this.#registry.disconnectClients(),
      });
    const queue = broker && sync && new PublishQueue(broker, sync, settings.publishTimeout);
    this.#context = { log, loop: new DeliveryLoop(log), resetEvent: settings.resetEvent, sync };
    this.#counters.follow(this.#context.loop);
    this.#queue = queue;
    this.#clients = new Clients(async client => {
      await queue?.publish(control.disconnect(client));
    });
    this.#publisher = new Publisher({
      log,
      queue,
      settingsOf: name => this.#settingsOf(name),
      onPublished: channel => this.#counters.published(channel),
      onError: (error, channel) => {
        this.#counters.notPublished(error);
        this.#report(error, { stage: 'publish', channel });
      },
    });
    this.#producers = new Producers({
      log,
      publish: (channel, data, fields) => this.publish(channel, data, fields),
      end: channel => this.#publisher.appendMark(channel, 'end'),
      onError: (error, channel) => this.#report(error, { stage: 'source', channel }),
    });
    this.#listeners = new Listeners(this.#context, error => this.#report(error, { stage: 'listen' }));
    this.#registry = new StreamRegistry({
      settings,
      scheduler,
      context: this.#context,
      clients: this.#clients,
      counters: this.#counters,
      onError: (error, context) => this.#report(error, context),
    });
  }

  // Streams

  get clients(): Clients<Stream> {
    void this.#context.sync?.start();
    return this.#clients;
  }

  get streams(): ReadonlySet<Stream> {
    return this.#registry.streams;
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    // The control messages of other processes may name its client.
    if (options.client !== undefined) void this.#context.sync?.start();
    return this.#registry.open(transport, request, options);
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
    return createChannel(name, {
      log: this.#context.log,
      publisher: this.#publisher,
      listeners: this.#listeners,
      state: () => this.#stateOf(name),
      from: (source, options) => {
        // Another process may stop it.
        void this.#context.sync?.start();
        return this.#producers.run(name, source, options);
      },
      stop: () => this.#stop(name),
      stats: () => readChannelStats(this.#context.log, name),
    });
  }

  async #stop(name: string): Promise<void> {
    this.#producers.stop(name);
  }

  listen(
    channels: ChannelName | readonly ChannelName[],
    listener: (event: ListenEvent) => unknown,
    options?: ListenOptions,
  ): Listening {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
    return this.#listeners.add(namesOf(channels), listener, options);
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

  async ready(): Promise<void> {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
    const { sync } = this.#context;
    if (sync !== undefined) await this.#withinTimeout(sync.start());
  }

  async #withinTimeout<T>(call: Promise<T>): Promise<T> {
    const { publishTimeout } = this.#settings;
    try {
      return await within(publishTimeout, call, () => {
        return brokerAway('broker', publishTimeout, this.#context.sync?.health.cause);
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
    this.#counters.dropped(name);
  }

  channelNames(): string[] {
    const names = Array.from(this.#context.log.channels.all(), ({ name }) => name);
    return names.filter(name => !name.startsWith('\0'));
  }

  // The hub

  stats(): HubStats {
    return readStats(this.streams, this.#clients.size, this.#context, this.#counters, this.#queue);
  }

  observe(observer: Observer): () => void {
    const stop = this.#counters.observers.add(readObserver(observer));
    for (const stream of this.streams) this.#counters.measure(stream);
    return stop;
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#registry.refuse(checked.retry);
      this.#drained = this.#close(checked);
    }
    return this.#drained;
  }

  /**
   * Producers first: what they publish last, and the ends of their channels, reach the streams. Until every stream is
   * closed, a handler that is told of the end of its stream may publish that.
   */
  async #close(settings: CloseSettings): Promise<void> {
    const start = performance.now();
    const left = () => Math.max(0, settings.within - (performance.now() - start));
    const produced = this.#producers.close()?.then(() => this.#publisher.settled());
    if (produced !== undefined) {
      await within(settings.within, produced, () => new Error('producers are late')).catch(() => {});
    }
    await drain([...this.streams], { ...settings, within: left() });
    await this.#publisher.close();
    if (!this.#listeners.isEmpty) {
      // What was published last may be on its way.
      await this.#publisher.settled();
      await this.#listeners.close(left());
    }
    this.#context.log.channels.close();
    await this.#context.sync?.close();
  }

  #report(error: unknown, context: ErrorContext): void {
    // It may return a promise.
    new Promise(resolve => {
      resolve(this.#settings.onError(error, context));
    }).catch(failure => console.error('tidings: onError failed:', failure));
  }
}
