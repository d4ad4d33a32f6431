// Loaded only if a client has the option `control`.
import type { Reset } from '@tidings/core/client';
import type { RawEvent } from '../connection/connection.ts';
import type { ConnectOptions } from '../options.ts';
import { compare } from '../position.ts';
import { ChannelSync } from './channel-sync.ts';
import { covers, needAfter, type StreamChannels, type Wanted, wasApplied } from './stream-channels.ts';

/** The channels that a tab follows, as sent to the tab with the connection. */
export interface Announcement {
  /** Increases with each change. */
  readonly version: number;
  readonly channels: readonly (readonly [name: string, after: string])[];
}

/**
 * The channels that this tab follows in addition to those of the route. A new stream has only the channels of the
 * route. The control adds the others again, each after its last received event, so that there is no gap.
 *
 * If tabs share a connection, the tab with the connection adds the channels of all tabs to the stream.
 */
export class Control {
  /** Called when the channels of this tab have changed. */
  onChange = () => {};
  readonly #own: Wanted = new Map();
  readonly #sync: ChannelSync;
  readonly #position: () => string;
  #version = 0;
  /** Events have the name of their channel (`channelField`). */
  #isNamed = false;

  /** @param position returns the position of this tab. */
  constructor(url: string, options: ConnectOptions, position: () => string) {
    this.#sync = new ChannelSync(url, options);
    this.#sync.tabs.set('', this.#own);
    this.#position = position;
  }

  subscribe(channels: readonly string[]): Promise<void> {
    needAfter(this.#own, this.#position(), channels);
    return this.#changed();
  }

  unsubscribe(channels: readonly string[]): Promise<void> {
    for (const name of channels) this.#own.delete(name);
    return this.#changed();
  }

  #changed(): Promise<void> {
    this.#version += 1;
    this.onChange();
    return this.#sync.synchronised();
  }

  /** Whether an event is for this tab and was not received before. */
  accepts({ channel, id, position = id, data }: RawEvent): boolean {
    if (channel === undefined) {
      if (id !== undefined) this.#sync.restart(channelsOfReset(data), id);
      return true;
    }
    this.#isNamed = true;
    if (!this.#own.has(channel)) return !this.channels.has(channel);
    const after = this.#own.get(channel);
    if (after === undefined || position === undefined) return true;
    if (compare(position, after) <= 0) return false;
    this.#own.set(channel, position);
    return true;
  }

  /**
   * Whether this tab has not received an event that is older than its position. This happens if a stream without the
   * channel has advanced the position.
   */
  lacks({ channel = '', id = '' }: RawEvent): boolean {
    return !(compare(id, this.#own.get(channel) ?? id) < 1);
  }

  /** @param at the position after which a response begins. With a shared connection, it is the oldest of all tabs. */
  opened(headers: Headers, at: string): void {
    this.closed();
    needAfter(this.#own, this.#position());
    this.#sync.opened(headers, at);
  }

  /** Called when the stream has reached a position. */
  arrived(at: string): void {
    this.#sync.arrived(at, compare(at, this.#position()) < 0);
  }

  /** @param isOver no other stream will open, so that pending changes reject. */
  closed(isOver = false): void {
    if (isOver) this.#sync.settle(new Error('the connection is closed'));
    this.#sync.closed(this.#isNamed);
  }

  // For tabs that share a connection

  /** The channels that were added to the stream of this tab, or to the stream that another tab relays. */
  get channels(): StreamChannels {
    return this.#sync.channels;
  }

  /** The channels that this tab follows. Undefined: it has never followed any. */
  announce(): Announcement | undefined {
    needAfter(this.#own, this.#position());
    const channels = [...this.#own] as [string, string][];
    return this.#version === 0 ? undefined : { version: this.#version, channels };
  }

  /**
   * Called when the leader has stored the announcement of this tab, or was refused.
   *
   * @param positions the positions after which the channels begin. A leader of an older version does not send them.
   */
  acknowledge(
    version: number,
    error: string | undefined,
    refused: readonly string[],
    positions: Announcement['channels'] = [],
  ): void {
    for (const name of refused) this.#own.delete(name);
    for (const [name, after] of positions) if (this.#own.get(name) === '') this.#own.set(name, after);
    if (version === this.#version) this.#sync.settle(error === undefined ? undefined : new Error(error));
  }

  /**
   * Called before the events of another tab's stream are received.
   *
   * @param before the position after which they begin.
   */
  relay(channels: StreamChannels | undefined, before: string): void {
    if (!channels) return;
    this.#sync.channels = channels;
    const unapplied = [...this.#own.keys()].filter(name => !wasApplied(channels.get(name), before));
    needAfter(this.#own, this.#position(), unapplied);
  }

  /** See {@link covers}. */
  isCovered(channels: StreamChannels | undefined, before: string | undefined): boolean {
    return !channels || covers(channels, this.#own, this.#position(), before);
  }

  /**
   * Adds the channels of another tab to the stream. Resolves with the positions after which they begin. Rejects with a
   * {@link Refusal}.
   */
  async take(tab: string, { channels }: Announcement): Promise<Announcement['channels']> {
    const wanted: Wanted = new Map(channels);
    this.#sync.tabs.set(tab, wanted);
    await this.#sync.synchronised();
    needAfter(wanted, this.#sync.at);
    return [...wanted] as [string, string][];
  }

  /** Called when another tab was closed. */
  drop(tab: string): void {
    this.#sync.tabs.delete(tab);
    this.#sync.synchronise();
  }
}

/** The channels of a reset. Empty for other events. Recognized by the data, because a hub can rename the event. */
function channelsOfReset(data: string): readonly string[] {
  if (!/^{"reason":"\w+","channels":\[.*\]}$/.test(data)) return [];
  try {
    return (JSON.parse(data) as Reset).channels;
  } catch {
    return [];
  }
}
