import { TidingsError } from '../base/errors.ts';
import { Scheduler } from '../base/scheduler.ts';
import { DeliveryLoop } from '../delivery/delivery-loop.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { BrokerSync } from '../log/broker/broker-sync.ts';
import { PublishQueue } from '../log/broker/publish-queue.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import { Log } from '../log/log.ts';
import { type ChannelName, nameOf, namesOf } from '../protocol/channel-name.ts';
import type { Position } from '../protocol/event-id.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { ErrorContext, EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { Transport } from '../stream/transport.ts';
import type { ControlChannel } from './access/control-channel.ts';
import { createControlChannel } from './access/create-control-channel.ts';
import { type ControlRequest, type ControlResponse, control } from './access/side-request.ts';
import { brokerAnswer } from './broker-answer.ts';
import { Clients } from './clients.ts';
import { closeHub } from './closing/close-hub.ts';
import { type CloseOptions, readCloseOptions } from './closing/close-options.ts';
import { OWN_CHANNELS } from './control.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import type { ListenEvent, ListenOptions } from './listening/listen-options.ts';
import { Listeners, type Listening } from './listening/listeners.ts';
import { createChannel } from './local-channel.ts';
import { Counters } from './observability/counters.ts';
import type { HubStats } from './observability/hub-stats.ts';
import type { Observer } from './observability/observer.ts';
import { Processes, type ProcessStats } from './observability/processes.ts';
import { readStats } from './observability/read-stats.ts';
import { type ChannelOptions, type HubSettings, readObserver } from './options/options.ts';
import { readPublished } from './options/publish-fields.ts';
import { countClients, createPresence } from './presence/create-presence.ts';
import type { Presence } from './presence/presence.ts';
import { PRESENCE_CHANNEL } from './presence/presence-options.ts';
import { Producers } from './producing/producers.ts';
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
  readonly #messages: ControlChannel;
  readonly #publisher: Publisher;
  readonly #producers: Producers;
  readonly #listeners: Listeners;
  readonly #presence: Presence | undefined;
  readonly #processes: Processes;
  readonly #registry: StreamRegistry;
  readonly #pinned = new Map<string, ChannelSettings>();
  readonly #queue: PublishQueue | undefined;
  #drained: Promise<void> | undefined;

  constructor(given: HubSettings) {
    this.#counters = new Counters(error => this.#report(error, { stage: 'observer' }));
    if (given.observer !== undefined) this.#counters.observers.add(given.observer);
    const broker = given.broker && this.#counters.timed(given.broker);
    // Every part of the hub calls the same broker, so that every call is counted.
    const settings = { ...given, broker };
    this.#settings = settings;
    const scheduler = new Scheduler(settings.precision);
    const log = new Log({
      settingsOf: name => this.#settingsOf(name),
      maxBytes: MAX_HISTORY_BYTES,
      isRemote: broker !== undefined,
      hasChannelField: settings.channelField,
      scheduler,
      onDropped: name => this.#channelDropped(name),
    });
    const sync =
      broker &&
      new BrokerSync(broker, log, {
        onError: error => this.#report(error, { stage: 'broker' }),
        onControl: entry => this.#messages.receive(entry),
        // The lost messages may have named any client, and any stream whose id is known.
        onControlLost: () => void this.#registry.disconnectNamed(),
      });
    const queue = broker && sync && new PublishQueue(broker, sync, settings.publishTimeout);
    this.#context = { log, loop: new DeliveryLoop(log), resetEvent: settings.resetEvent, sync };
    this.#counters.follow(this.#context.loop);
    this.#queue = queue;
    const recheck = (stream: Stream) => this.#registry.recheck(stream, true);
    this.#clients = new Clients(message => this.#messages.send(message), recheck);
    const stop = (channel: string, position: Position) => this.#producers.stop(channel, position);
    this.#messages = createControlChannel({
      log,
      queue,
      clients: this.#clients,
      recheck,
      stop,
      describe: isOwn => this.#processes.asked(isOwn),
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
    this.#processes = new Processes({
      scheduler,
      messages: this.#messages,
      queue,
      listeners: this.#listeners,
      readStats: () => this.stats(),
      onError: error => this.#report(error, { stage: 'listen' }),
    });
    this.#presence = createPresence(settings, sync, {
      scheduler,
      listeners: this.#listeners,
      clients: this.#clients,
      publish: (channel, data, fields) => this.publish(channel, data, fields),
      onError: error => this.#report(error, { stage: 'presence' }),
    });
    this.#clients.count = () => countClients(settings, sync, this.#presence, this.#clients);
    this.#registry = new StreamRegistry({
      settings,
      scheduler,
      context: this.#context,
      clients: this.#clients,
      counters: this.#counters,
      presence: this.#presence,
      onError: (error, context) => this.#report(error, context),
    });
  }

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
      context: this.#context,
      publisher: this.#publisher,
      listeners: this.#listeners,
      producers: this.#producers,
      messages: this.#messages,
      state: () => this.#stateOf(name),
    });
  }

  listen(
    channels: ChannelName | readonly ChannelName[],
    listener: (event: never) => unknown,
    options?: ListenOptions<never>,
  ): Listening {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
    return this.#listeners.add(
      namesOf(channels),
      listener as (event: ListenEvent) => unknown,
      options as ListenOptions,
    );
  }

  async #stateOf(name: string): ReturnType<Channel['state']> {
    const { broker } = this.#settings;
    const { sync } = this.#context;
    if (broker === undefined || sync === undefined) return this.#publisher.stateHere(name);
    const { state } = await this.#answer(sync.start().then(() => broker.state(name)));
    return state;
  }

  control(request: ControlRequest): Promise<ControlResponse> {
    const { broker, authorize } = this.#settings;
    const { clients } = this;
    return control(
      {
        clients,
        isShared: broker !== undefined,
        hasAuthorize: authorize !== undefined,
        store: message => this.#messages.store(message),
      },
      request,
    );
  }

  async position(): Promise<string> {
    const { log, sync } = this.#context;
    if (sync === undefined) return log.id(log.head);
    const { epoch, head } = await this.#answer(sync.head());
    return log.acknowledge(epoch, head);
  }

  async ready(): Promise<void> {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
    const { sync } = this.#context;
    if (sync !== undefined) await this.#answer(sync.start());
  }

  #answer<T>(call: Promise<T>): Promise<T> {
    return brokerAnswer(this.#settings.publishTimeout, this.#context.sync, call);
  }

  #settingsOf(name: string): ChannelSettings {
    if (name === this.#settings.presence?.channel) return PRESENCE_CHANNEL;
    return OWN_CHANNELS.get(name) ?? this.#pinned.get(name) ?? this.#settings.channel(name);
  }

  #pin(name: string, settings: ChannelSettings): void {
    this.#pinned.set(name, settings);
    this.#context.log.channels.configure(name, settings);
  }

  #channelDropped(name: string): void {
    this.#context.sync?.release(name);
    if (!OWN_CHANNELS.has(name)) this.#counters.dropped(name);
  }

  channelNames(): string[] {
    const names = Array.from(this.#context.log.channels.all(), ({ name }) => name);
    return names.filter(name => !name.startsWith('\0'));
  }

  stats(): HubStats {
    return readStats(this.streams, this.#clients.size, this.#context, this.#counters, this.#queue);
  }

  observe(observer: Observer): () => void {
    const stop = this.#counters.observers.add(readObserver(observer));
    for (const stream of this.streams) this.#counters.measure(stream);
    return stop;
  }

  observeProcesses(listener: (process: ProcessStats) => void): () => void {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
    return this.#processes.observe(listener);
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#registry.refuse(checked.retry);
      this.#processes.close();
      this.#counters.observers.notify('closing');
      this.#drained = closeHub(
        {
          streams: this.streams,
          context: this.#context,
          producers: this.#producers,
          presence: this.#presence,
          publisher: this.#publisher,
          listeners: this.#listeners,
        },
        checked,
      );
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
