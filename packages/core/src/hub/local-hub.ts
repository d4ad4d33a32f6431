import { type ChannelName, nameOf } from '../channel-name.ts';
import { TidingsError } from '../errors.ts';
import { show } from '../invalid.ts';
import { CONTROL_CHANNEL } from '../log/broker.ts';
import type { ChannelSettings } from '../log/channel.ts';
import type { Entry } from '../log/entry.ts';
import { Log } from '../log/log.ts';
import { Mirror } from '../log/mirror.ts';
import { Outbox } from '../log/outbox.ts';
import { Scheduler, TurnBudget } from '../scheduler.ts';
import { OpenStream, type StreamHost } from '../stream/open-stream.ts';
import type { StreamRequest } from '../stream/request.ts';
import { COME_BACK_LATER, createRetry, randomBetween } from '../stream/retry.ts';
import type { CloseReason, ErrorContext, EventStream, StreamOptions } from '../stream/stream.ts';
import { readStreamOptions } from '../stream/stream-options.ts';
import type { Transport } from '../transport.ts';
import { Clients } from './clients.ts';
import { drain } from './drain.ts';
import type { Hub } from './hub.ts';
import type { Channel, PublishFields } from './hub-channel.ts';
import { type HubStats, Meter } from './meter.ts';
import { type ChannelOptions, type CloseOptions, type HubSettings, readCloseOptions } from './options.ts';
import { readPublished } from './publish-fields.ts';

/** Bytes that the histories of all channels take together. */
const ALL_HISTORIES = 64 * 1024 * 1024;

/** What the channel of control messages retains: what a process may miss and still catch up with. */
const KEEP_CONTROL = { events: 1_000, bytes: 1024 * 1024, age: 10 * 60_000, compact: false };

const isWorkers =
  (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === 'Cloudflare-Workers';

/** The hub of one process. With a broker, it is one of several that share a log. */
export class LocalHub implements Hub, StreamHost {
  readonly streams = new Set<OpenStream>();
  readonly clients = new Clients<OpenStream>();
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly meter: Meter;
  readonly settings: HubSettings;
  readonly answers = new TurnBudget();
  readonly #pinned = new Map<string, ChannelSettings>();
  readonly #outbox: Outbox | undefined;
  /** Set by `close()`: the ms after which whoever comes now shall come back. */
  #comeBack: readonly [min: number, max: number] | undefined;
  #drained: Promise<void> | undefined;
  /** Nobody is left: until then, whoever is told of the end of a stream may publish that. */
  #isClosed = false;

  constructor(settings: HubSettings) {
    this.settings = settings;
    this.scheduler = new Scheduler(settings.precision);
    this.meter = new Meter(settings.observer, error => this.report(error, { stage: 'observer' }));
    this.log = new Log(name => this.#settingsOf(name), ALL_HISTORIES, this.scheduler, this.meter);
    const { broker } = settings;
    if (broker === undefined) return;
    const mirror = new Mirror(
      broker,
      this.log,
      error => this.report(error, { stage: 'broker' }),
      data => {
        const { disconnect } = JSON.parse(data) as { disconnect?: string };
        if (disconnect !== undefined) this.clients.close(disconnect);
      },
    );
    this.log.mirror = mirror;
    const outbox = new Outbox(broker, () => mirror.start(), settings.publishTimeout);
    this.#outbox = outbox;
    this.clients.tell = async client => {
      await outbox.publish({
        channel: CONTROL_CHANNEL,
        kind: 'control',
        json: true,
        data: JSON.stringify({ disconnect: client }),
        keep: KEEP_CONTROL,
      });
    };
  }

  open(transport: Transport, request: StreamRequest, options: StreamOptions = {}): EventStream {
    const stream = new OpenStream(this.#hostOf(), transport, request, readStreamOptions(options));
    if (transport.closed) {
      stream.leave('disconnected');
    } else if (request.method === 'HEAD') {
      stream.decline('closed', options.retry);
    } else if (
      this.#comeBack !== undefined ||
      (this.streams.size >= this.settings.maxStreams && !stream.hasHadAll)
    ) {
      stream.decline('refused', randomBetween(this.#comeBack ?? COME_BACK_LATER));
    } else {
      // Who is about to be told that there is no more takes nobody's place.
      if (!stream.hasHadAll) this.#makeRoom(stream);
      this.streams.add(stream);
      this.clients.add(stream);
      this.meter.streamOpened(stream);
      stream.start();
    }
    return stream;
  }

  /** Where a timer ends with the request that has made it, each stream has a clock of its own. */
  #hostOf(): StreamHost {
    if (!isWorkers) return this;
    // It inherits the rest, so that `report` and `gone` can use no private names.
    const scheduler = new Scheduler(this.settings.precision, start => start());
    return Object.assign(Object.create(this) as StreamHost, { scheduler, answers: new TurnBudget() });
  }

  publish(channel: ChannelName, data: unknown, fields?: PublishFields): Promise<string> {
    return this.#accept(channel, () => readPublished(data, fields));
  }

  channel<Name extends string>(
    channel: Name,
    options?: ChannelOptions,
  ): Channel<Record<string, unknown>, Name> {
    const name = nameOf(channel) as Name;
    if (options !== undefined) this.#pin(name, this.settings.channel(name, options));
    const { channels } = this.log;
    return {
      name,
      get subscriberCount() {
        return channels.find(name)?.subscribers.size ?? 0;
      },
      publish: (data: unknown, fields?: PublishFields) => this.publish(name, data, fields),
      end: () => this.#accept(name, () => ({ kind: 'end', json: false, data: '' })),
    };
  }

  stats(): HubStats {
    const streams = [...this.streams];
    return {
      streams: streams.length,
      clients: this.clients.size,
      channels: this.log.channels.size,
      historyBytes: this.log.channels.bytes,
      lagging: streams.filter(stream => stream.isLagging).length,
      bufferedBytes: streams.reduce((sum, stream) => sum + stream.bufferedBytes, 0),
      ...structuredClone(this.meter.totals),
    };
  }

  async position(): Promise<string> {
    if (this.log.mirror === undefined) return this.log.id(this.log.head);
    const { epoch, head } = await this.log.mirror.head();
    return this.log.acknowledge(epoch, head);
  }

  #settingsOf(name: string): ChannelSettings {
    return this.#pinned.get(name) ?? this.settings.channel(name);
  }

  #pin(name: string, settings: ChannelSettings): void {
    this.#pinned.set(name, settings);
    this.log.channels.configure(name, settings);
  }

  /** Gives an entry its place in the order; what is wrong with it becomes a rejection that ends no process. */
  #accept(target: ChannelName, content: () => Omit<Entry, 'channel' | 'position'>): Promise<string> {
    let channel: string | undefined;
    let id: Promise<string>;
    try {
      channel = nameOf(target);
      if (this.#isClosed) throw new TidingsError('closed', 'the hub is closed');
      const draft = { ...content(), channel };
      const ended = this.log.channels.find(channel)?.endedAt;
      if (ended !== undefined) {
        if (draft.kind === 'end') return Promise.resolve(this.log.id(ended));
        throw new TidingsError('ended', `the channel ${show(channel)} has ended: nothing can follow`);
      }
      if (this.#outbox === undefined) {
        const position = this.log.append(draft);
        this.meter.eventPublished(channel);
        return Promise.resolve(this.log.id(position));
      }
      id = this.#send(this.#outbox, draft);
    } catch (error) {
      id = Promise.reject(error);
    }
    id.catch(error => this.report(error, { stage: 'publish', channel }));
    return id;
  }

  async #send(outbox: Outbox, draft: Omit<Entry, 'position'>): Promise<string> {
    const { events, bytes, age, compact } = this.#settingsOf(draft.channel);
    const [epoch, position] = await outbox.publish({ ...draft, keep: { events, bytes, age, compact } });
    this.meter.eventPublished(draft.channel);
    return this.log.acknowledge(epoch, position);
  }

  close(options: CloseOptions = {}): Promise<void> {
    if (this.#drained === undefined) {
      const checked = readCloseOptions(options);
      this.#comeBack = checked.retry;
      this.#drained = drain([...this.streams], checked).then(async () => {
        this.#isClosed = true;
        this.log.channels.close();
        await this.#outbox?.settled();
        await this.log.mirror?.close();
      });
    }
    return this.#drained;
  }

  report(error: unknown, context: ErrorContext): void {
    // A promise, if it returns one, is its own too.
    new Promise(resolve => {
      resolve(this.settings.onError(error, context));
    }).catch(failure => console.error('tidings: onError failed:', failure));
  }

  gone(stream: OpenStream, reason: CloseReason): void {
    stream.scheduler.delete(stream.deadlines);
    this.streams.delete(stream);
    this.clients.delete(stream);
    this.meter.streamClosed(stream, reason);
  }

  /** Closes a client's oldest streams: a phone that changed networks must not be locked out by its own ghosts. */
  #makeRoom({ client }: OpenStream): void {
    if (client === undefined) return;
    const newestFirst = [...this.clients.get(client)].filter(stream => stream.isOpen).reverse();
    for (const stream of newestFirst.slice(this.settings.maxPerClient - 1)) {
      stream.finish('replaced', createRetry());
    }
  }
}
