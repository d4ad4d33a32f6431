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
import { CONTROL_SETTINGS } from './control.ts';
import { ControlChannel } from './control-channel.ts';
import { Counters, type HubStats } from './counters.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import type { ListenEvent, ListenOptions } from './listening/listen-options.ts';
import { Listeners, type Listening } from './listening/listeners.ts';
import { createChannel } from './local-channel.ts';
import { Membership } from './membership.ts';
import {
  type ChannelOptions,
  type CloseOptions,
  type CloseSettings,
  type HubSettings,
  readCloseOptions,
} from './options.ts';
import { createLocalLease } from './presence/leases.ts';
import { Presence } from './presence/presence.ts';
import { PRESENCE_CHANNEL } from './presence/presence-options.ts';
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
  readonly #control: ControlChannel;
  readonly #publisher: Publisher;
  readonly #producers: Producers;
  readonly #listeners: Listeners;
  readonly #presence: Presence | undefined;
  readonly #registry: StreamRegistry;
  readonly #pinned = new Map<string, ChannelSettings>();
  #drained: Promise<void> | undefined;

  constructor(settings: HubSettings) {
    this.#settings = settings;
    const scheduler = new Scheduler(settings.precision);
    this.#counters = new Counters(settings.observer, error => this.#report(error, { stage: 'observer' }));
    const { broker, publishTimeout } = settings;
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
        onControl: entry => control.receive(entry),
        // The lost messages may have named any client, and any stream whose id is known.
        onControlLost: () => void this.#registry.disconnectNamed(),
      });
    const queue = broker && sync && new PublishQueue(broker, sync, publishTimeout);
    this.#context = { log, loop: new DeliveryLoop(log), resetEvent: settings.resetEvent, sync };
    this.#clients = new Clients(message => control.send(message));
    const membership = new Membership(log, this.#clients, broker !== undefined);
    const control = new ControlChannel(log, queue, (message, position, isOwn) => {
      if (message.type !== 'stop') membership.apply(message, position);
      // Its own sources are stopped already. Those that have begun since go on.
      else if (!isOwn) this.#producers.stop(message.channel, position);
    });
    this.#control = control;
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
    this.#producers = new Producers({
      log,
      publish: (channel, data, fields) => this.publish(channel, data, fields),
      end: channel => this.#publisher.appendMark(channel, 'end'),
      onError: (error, channel) => this.#report(error, { stage: 'source', channel }),
    });
    this.#listeners = new Listeners(this.#context, error => this.#report(error, { stage: 'listen' }));
    this.#presence = this.#createPresence(scheduler);
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

  #createPresence(scheduler: Scheduler): Presence | undefined {
    const { presence, broker } = this.#settings;
    const { sync } = this.#context;
    if (presence === undefined) {
      if (broker !== undefined) this.#clients.count = () => Promise.reject(countsNobody());
      return undefined;
    }
    const { channel } = presence;
    this.#pinned.set(channel, PRESENCE_CHANNEL);
    const created = new Presence(
      {
        scheduler,
        listeners: this.#listeners,
        clients: this.#clients,
        lease: sync === undefined ? createLocalLease() : change => sync.lease(channel, change),
        publish: (data, fields) => this.publish(channel, data, fields),
        onError: error => this.#report(error, { stage: 'presence' }),
      },
      presence,
    );
    this.#clients.count = () => this.#withinTimeout(created.count());
    return created;
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
      stop: () => {
        this.#producers.stop(name);
        return this.#control.send({ type: 'stop', channel: name });
      },
    });
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
    this.#counters.totals.dropped += 1;
    this.#counters.notify('dropped', name);
  }

  // The hub

  stats(): HubStats {
    const streams = [...this.streams];
    const { channels } = this.#context.log;
    return {
      streams: streams.length,
      clients: this.#clients.size,
      channels: channels.size - (channels.find(CONTROL_CHANNEL) === undefined ? 0 : 1),
      historyBytes: channels.bytes,
      lagging: streams.filter(stream => stream.isLagging).length,
      bufferedBytes: streams.reduce((sum, stream) => sum + stream.bufferedBytes, 0),
      broker: this.#context.sync?.health.stats,
      ...structuredClone(this.#counters.totals),
    };
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
    this.#presence?.beginClose();
    await drain([...this.streams], { ...settings, within: left() });
    if (this.#presence !== undefined) {
      // A broker that is away does not hold it up.
      const closed = this.#presence.close(settings.retry[1]);
      await within(Math.max(left(), 1_000), closed, () => new Error('presence is late')).catch(() => {});
    }
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

function countsNobody(): TidingsError {
  return new TidingsError(
    'invalid-option',
    'clients.count() needs `presence` to count those of other processes',
  );
}
