// Loaded when the option `control` is given, and only then.
import type { Reset } from '@tidings/core/client';
import type { RawEvent } from '../connection/connection.ts';
import type { ConnectOptions } from '../options.ts';
import { compare } from '../position.ts';
import { ChannelSync } from './channel-sync.ts';
import { covers, hold, type StreamChannels, type Wanted, wasApplied } from './stream-channels.ts';

/** What a tab follows, as it tells the tab that has the connection. */
export interface Announcement {
  /** Grows with each change. */
  readonly version: number;
  readonly channels: readonly (readonly [name: string, after: string])[];
}

/**
 * The channels that this tab follows besides those of the route. A new stream has only the latter. It is given the others
 * again, each after the last event that has arrived of it, so that there is no gap.
 *
 * Of tabs that share a connection, the one that has it gives the stream the channels of all.
 */
export class Control {
  /** Called when this tab follows other channels. */
  onChange = () => {};
  readonly #own: Wanted = new Map();
  readonly #sync: ChannelSync;
  readonly #position: () => string;
  #version = 0;
  /** The server tells the channel of each event. */
  #isNamed = false;

  /** @param position how far this tab is. */
  constructor(url: string, options: ConnectOptions, position: () => string) {
    this.#sync = new ChannelSync(url, options);
    this.#sync.tabs.set('', this.#own);
    this.#position = position;
  }

  subscribe(channels: readonly string[]): Promise<void> {
    hold(this.#own, this.#position(), channels);
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

  /** Whether an event is for this tab, and has not arrived before. */
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
   * Whether this tab has not received an event, though it is older than its position: a stream that did not have the
   * channel has moved the position.
   */
  lacks({ channel = '', id = '' }: RawEvent): boolean {
    return !(compare(id, this.#own.get(channel) ?? id) < 1);
  }

  /** @param at the position after which a response begins: with tabs, the oldest of theirs. */
  opened(headers: Headers, at: string): void {
    this.closed();
    hold(this.#own, this.#position());
    this.#sync.opened(headers, at);
  }

  /** The stream is at a position. */
  arrived(at: string): void {
    this.#sync.arrived(at, compare(at, this.#position()) < 0);
  }

  /** @param isOver no other stream follows: changes that are not stored will not be. */
  closed(isOver = false): void {
    if (isOver) this.#sync.settle(new Error('the connection is closed'));
    this.#sync.closed(this.#isNamed);
  }

  // For tabs that share a connection.

  /** What the stream has: that of this tab, or that which another tab relays. */
  get channels(): StreamChannels {
    return this.#sync.channels;
  }

  /** What this tab follows. Undefined: it has never followed anything. */
  announce(): Announcement | undefined {
    hold(this.#own, this.#position());
    const channels = [...this.#own] as [string, string][];
    return this.#version === 0 ? undefined : { version: this.#version, channels };
  }

  /**
   * Another tab has stored what this one has announced, or was refused.
   *
   * @param positions from where the stream has the channels. A leader of an older version does not send them.
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
   * Events of the stream of another tab come next.
   *
   * @param before where they begin.
   */
  relay(channels: StreamChannels | undefined, before: string): void {
    if (!channels) return;
    this.#sync.channels = channels;
    const unapplied = [...this.#own.keys()].filter(name => !wasApplied(channels.get(name), before));
    hold(this.#own, this.#position(), unapplied);
  }

  /** See {@link covers}. */
  isCovered(channels: StreamChannels | undefined, before: string | undefined): boolean {
    return !channels || covers(channels, this.#own, this.#position(), before);
  }

  /**
   * Resolves when the stream has what another tab follows, with the positions from where it has that. Rejects with a
   * {@link Refusal}.
   */
  async take(tab: string, { channels }: Announcement): Promise<Announcement['channels']> {
    const wanted: Wanted = new Map(channels);
    this.#sync.tabs.set(tab, wanted);
    await this.#sync.synchronised();
    hold(wanted, this.#sync.at);
    return [...wanted] as [string, string][];
  }

  /** Another tab is gone. */
  drop(tab: string): void {
    this.#sync.tabs.delete(tab);
    this.#sync.synchronise();
  }
}

/** The channels that a reset names; none, if an event is no reset. A hub gives resets any name. */
function channelsOfReset(data: string): readonly string[] {
  if (!/^{"reason":"\w+","channels":\[.*\]}$/.test(data)) return [];
  try {
    return (JSON.parse(data) as Reset).channels;
  } catch {
    return [];
  }
}
