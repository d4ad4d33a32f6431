import { TidingsError } from '../base/errors.ts';
import { Scheduler } from '../base/scheduler.ts';
import { DeliveryLoop } from '../delivery/delivery-loop.ts';
import type { DeliveryContext } from '../delivery/delivery-target.ts';
import { CONTROL_CHANNEL } from '../log/broker.ts';
import { BrokerSync } from '../log/broker-sync.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import { Log } from '../log/log.ts';
import { brokerAway, PublishQueue } from '../log/publish-queue.ts';
import { type ChannelName, nameOf } from '../protocol/channel-name.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { ErrorContext, EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { Transport } from '../stream/transport.ts';
import { Authorizer } from './access/authorizer.ts';
import { ControlChannel } from './access/control-channel.ts';
import { Membership } from './access/membership.ts';
import { type ControlRequest, type ControlResponse, control } from './access/side-request.ts';
import { Clients } from './clients.ts';
import { CONTROL_SETTINGS } from './control.ts';
import { Counters, type HubStats } from './counters.ts';
import { within } from './deadline.ts';
import { drain } from './drain.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import { type ChannelOptions, type CloseOptions, type HubSettings, readCloseOptions } from './options.ts';
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
        onControl: entry => messages.receive(entry),
        // The lost messages may have named any client, and any stream whose id is known.
        onControlLost: () => void this.#registry.disconnectNamed(),
      });
    const queue = broker && sync && new PublishQueue(broker, sync, publishTimeout);
    this.#context = { log, loop: new DeliveryLoop(log), resetEvent: settings.resetEvent, sync };
    this.#clients = new Clients(
      message => messages.send(message),
      stream => this.#registry.recheck(stream, true),
    );
    const membership = new Membership({
      log,
      clients: this.#clients,
      isRemote: broker !== undefined,
      recheck: stream => this.#registry.recheck(stream, true),
    });
    const messages = new ControlChannel(log, queue, (message, position, isOwn) => {
      // A hub asks again at once when it is told to, and not once more when its own message arrives.
      const isDone = message.type === 'stop' || (message.type === 'recheck' && isOwn);
      if (!isDone) membership.apply(message, position);
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
    const { authorize, authorizeTimeout, revokedEvent } = settings;
    const report = (error: unknown, context: ErrorContext) => this.#report(error, context);
    const guard = authorize && new Authorizer({ authorize, timeout: authorizeTimeout, revokedEvent, report });
    this.#registry = new StreamRegistry({
      guard,
      settings,
      scheduler,
      context: this.#context,
      clients: this.#clients,
      counters: this.#counters,
      onError: report,
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

  control(request: ControlRequest): Promise<ControlResponse> {
    const { broker, authorize } = this.#settings;
    const { clients } = this;
    return control(
      { clients, isShared: broker !== undefined, hasAuthorize: authorize !== undefined },
      request,
    );
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
      lagging: streams.filter(stream => stream.response.writer.isLagging).length,
      bufferedBytes: streams.reduce((sum, stream) => sum + stream.bufferedBytes, 0),
      broker: this.#context.sync?.health.stats,
      ...structuredClone(this.#counters.totals),
    };
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#registry.refuse(checked.retry);
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
