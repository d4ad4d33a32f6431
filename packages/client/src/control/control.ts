// Loaded when the option `control` is given, and only then.
import type { RawEvent } from '../connection/connection.ts';
import type { ConnectOptions } from '../options.ts';
import { compare } from '../position.ts';
import { ChannelSync } from './channel-sync.ts';
import { covers, hold, type StreamChannels, type Wanted } from './stream-channels.ts';

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
  accepts({ channel, id, position = id }: RawEvent): boolean {
    if (channel === undefined) return true;
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
    return compare(id, this.#own.get(channel) ?? id) > 0;
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

  /** Another tab has stored what this one has announced, or was refused. */
  acknowledge(version: number, error: string | undefined, refused: readonly string[]): void {
    for (const name of refused) this.#own.delete(name);
    if (version === this.#version) this.#sync.settle(error === undefined ? undefined : new Error(error));
  }

  /** Events of the stream of another tab come next. */
  relay(channels: StreamChannels): void {
    this.#sync.channels = channels;
    const unapplied = [...this.#own.keys()].filter(name => !channels.get(name)?.isApplied);
    hold(this.#own, this.#position(), unapplied);
  }

  /** See {@link covers}. */
  isCovered(channels: StreamChannels, before: string | undefined): boolean {
    return covers(channels, this.#own, this.#position(), before);
  }

  /** Resolves when the stream has what another tab follows. Rejects with a {@link Refusal}. */
  take(tab: string, { channels }: Announcement): Promise<void> {
    this.#sync.tabs.set(tab, new Map(channels));
    return this.#sync.synchronised();
  }

  /** Another tab is gone. */
  drop(tab: string): void {
    this.#sync.tabs.delete(tab);
    this.#sync.synchronise();
  }
}
