import { TidingsError } from '../base/errors.ts';
import { type ChannelName, nameOf, namesOf } from '../protocol/channel-name.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { EventStream, StreamOptions } from '../stream/event-stream.ts';
import type { Stream } from '../stream/stream.ts';
import type { Transport } from '../stream/transport.ts';
import { type ControlRequest, type ControlResponse, control } from './access/side-request.ts';
import type { Clients } from './clients.ts';
import { closeHub } from './closing/close-hub.ts';
import { type CloseOptions, readCloseOptions } from './closing/close-options.ts';
import { OWN_CHANNELS } from './control.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import { createParts, type HubParts } from './hub-parts.ts';
import type { ListenEvent, ListenOptions } from './listening/listen-options.ts';
import type { Listening } from './listening/listeners.ts';
import { createChannel } from './local-channel.ts';
import type { HubStats } from './observability/hub-stats.ts';
import type { Observer } from './observability/observer.ts';
import type { ProcessStats } from './observability/processes.ts';
import { type ChannelOptions, type HubSettings, readObserver } from './options/options.ts';

/** The hub of one process. With a broker, it is one of several that share a log. */
export class LocalHub implements Hub {
  readonly #parts: HubParts;
  #drained: Promise<void> | undefined;

  constructor(settings: HubSettings) {
    this.#parts = createParts(settings);
  }

  get clients(): Clients<Stream> {
    void this.#parts.context.sync?.start();
    return this.#parts.clients;
  }

  get streams(): ReadonlySet<Stream> {
    return this.#parts.registry.streams;
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    // Connects to the broker, because control messages of other processes may name the client.
    if (options.client !== undefined) void this.#parts.context.sync?.start();
    return this.#parts.registry.open(transport, request, options);
  }

  publish(channel: ChannelName, data: unknown, fields?: PublishFields): Promise<string> {
    return this.#parts.publisher.publish(channel, data, fields);
  }

  channel<Name extends string>(
    channel: Name,
    options?: ChannelOptions,
  ): Channel<Record<string, unknown>, Name> {
    const name = nameOf(channel) as Name;
    if (options !== undefined) {
      this.#parts.context.log.channels.configure(name, this.#parts.channelSettings.pin(name, options));
    }
    return createChannel(name, this.#parts);
  }

  listen(
    channels: ChannelName | readonly ChannelName[],
    listener: (event: never) => unknown,
    options?: ListenOptions<never>,
  ): Listening {
    this.#checkOpen();
    return this.#parts.listeners.add(
      namesOf(channels),
      listener as (event: ListenEvent) => unknown,
      options as ListenOptions,
    );
  }

  control(request: ControlRequest): Promise<ControlResponse> {
    const { broker, authorize } = this.#parts.settings;
    const { clients } = this;
    return control(
      {
        clients,
        isShared: broker !== undefined,
        hasAuthorize: authorize !== undefined,
        store: message => this.#parts.messages.store(message),
      },
      request,
    );
  }

  position(): Promise<string> {
    return this.#parts.calls.position();
  }

  async ready(): Promise<void> {
    this.#checkOpen();
    await this.#parts.calls.ready();
  }

  channelNames(): string[] {
    const names = Array.from(this.#parts.context.log.channels.all(), ({ name }) => name);
    return names.filter(name => !OWN_CHANNELS.has(name));
  }

  stats(): HubStats {
    return this.#parts.stats();
  }

  observe(observer: Observer): () => void {
    const stop = this.#parts.counters.observers.add(readObserver(observer));
    for (const stream of this.streams) this.#parts.counters.measure(stream);
    return stop;
  }

  observeProcesses(listener: (process: ProcessStats) => void): () => void {
    this.#checkOpen();
    return this.#parts.processes.observe(listener);
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#parts.registry.refuse(checked.retry);
      this.#parts.processes.close();
      this.#parts.counters.observers.notify('closing');
      this.#drained = closeHub(this.#parts, checked);
    }
    return this.#drained;
  }

  #checkOpen(): void {
    if (this.#drained !== undefined) throw new TidingsError('closed', 'the hub is closed');
  }
}
