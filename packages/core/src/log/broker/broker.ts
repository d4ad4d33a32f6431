import type { TidingsError } from '../../base/errors.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';
import type { Keep } from '../keep.ts';

/**
 * The channel of control messages. Applications cannot use its name (names of channels beginning with NUL are refused).
 * A broker treats it like any other channel; every hub keeps it open from its start.
 */
export const CONTROL_CHANNEL = '\0control';

/** An entry that has no position yet, and how much its channel retains. */
export interface Draft extends Omit<Entry, 'position'> {
  readonly keep: Readonly<Keep>;
}

/** Where a read starts: after a position (0: at the first retained entry), or at the last so many events. */
export type ReadFrom = Position | { readonly last: number };

/** Part of one channel's log. */
export interface Page {
  /** Ascending. */
  readonly entries: readonly Entry[];
  /**
   * Entries up to this position may have been trimmed. Of what was asked for, this page and the pages after it have
   * everything after it. A page after a position may return that position, or a newer one. 0: nothing was ever trimmed.
   */
  readonly trimmedUpTo: Position;
  /** Whether there is more: call `read` with the position of this page's last entry. A page with more is not empty. */
  readonly more: boolean;
  /** The channel's newest position, retained or not. Absent if the broker knows nothing of the channel. */
  readonly last?: Position | undefined;
  /** The position of the channel's `end`, if it has ended. */
  readonly endedAt?: Position | undefined;
  /**
   * In a compacted channel, entries up to this position may have been deleted because a newer one has their key. A hub
   * whose own settings do not compact the channel reads them as trimmed. Absent: none.
   */
  readonly supersededUpTo?: Position | undefined;
}

/** Channels as they are at one position. */
export interface Opened {
  /** The head, read after the call began. The pages have nothing newer. */
  readonly head: Position;
  /** One for each requested channel. */
  readonly pages: ReadonlyMap<string, Page>;
}

/** The newest position of a log, and the epoch in which it has a meaning. */
export interface LogHead {
  readonly epoch: string;
  readonly head: Position;
}

/** The results of one `publish`. */
export interface Published {
  /** The epoch of the positions. The sink may have been given another one since. */
  readonly epoch: string;
  /** For each draft its position, or why it has none: `ended`, `not-stored` or `maybe-stored`. */
  readonly results: readonly (Position | TidingsError)[];
}

/** What is known of a channel without reading its entries. */
export interface ChannelState {
  /** `unknown`: nothing was ever published to it, or so long ago that the broker has forgotten it. */
  readonly state: 'unknown' | 'open' | 'ended';
  /** Its newest position; 0 if unknown. */
  readonly last: Position;
}

/** Keys that one owner (a hub) holds until a deadline. A key is present while any owner holds it. */
export interface LeaseChange {
  /** Random, one for each hub. */
  readonly owner: string;
  readonly hold: readonly string[];
  readonly release: readonly string[];
  /** ms after which everything this owner holds is released, unless it calls again. */
  readonly ttl: number;
}

/** What the hub offers its broker. No method throws. */
export interface Sink {
  /** New entries of open channels: ascending, and each after all entries given before. */
  entries(list: readonly Entry[]): void;
  /** Every entry of open channels up to `head` has been given. */
  advanced(head: Position): void;
  /**
   * Entries of these channels (absent: of all open channels) were lost before they could be given. Call it before
   * anything newer is given. The channels stay open; the hub reads them again.
   *
   * @param isCompaction every lost entry was deleted because a newer one has its key: nothing is missing for a hub that
   *   compacts the channel, too.
   */
  lost(channels?: readonly string[], isCompaction?: boolean): void;
  /** Positions between `after` and `before` were given to entries that are lost: nobody can resume from them. */
  broken(after: Position, before: Position): void;
  /** A new epoch: older positions have no meaning. No channel is open any more. */
  restarted(epoch: string, head: Position): void;
  /** The connection to the store was established, or lost (with the cause). For `hub.ready()` and `hub.stats()`. */
  connection(isConnected: boolean, cause?: unknown): void;
  /** Something is wrong that the application has to change. Goes to `onError`; call it once for each cause. */
  report(error: unknown): void;
}

/**
 * Where the log of a hub is stored when several processes share it. A broker gives every entry its position, retains
 * the channels' histories, and gives each process the new entries of the channels it has opened.
 *
 * Promises reject with a TidingsError; the hub calls again later. A broker reconnects by itself: until then calls wait
 * for their deadline or reject, and afterwards the sink is given the entries it missed, or `lost`.
 */
export interface Broker {
  /** Connects. Called before anything else, and again after a rejection. */
  start(sink: Sink): Promise<LogHead>;
  /**
   * Appends entries, in this order, each exactly once or not at all. Never called again before it has settled.
   *
   * `begin` of a channel that has not ended stores nothing: its result is the channel's newest position, or the head
   * if the channel is unknown. `begin` of an ended channel trims everything up to its `end`, and opens it again.
   * Everything but `begin` is refused with `ended` in an ended channel.
   *
   * @param drafts at most 500 entries and 256 KiB of data, unless it is one entry.
   * @param deadline aborted when the publisher stops waiting: what has no result by then gets `not-stored` or
   *   `maybe-stored`. Later calls may get the same signal: remove listeners from it.
   * @returns a result for each. Rejects, with `not-stored` or `maybe-stored`, only if that holds for all.
   */
  publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published>;
  /**
   * Starts giving the sink the new entries of channels, and reads what is stored. Opening an open channel reads it
   * again. Never called again before it has settled.
   *
   * When it resolves, the sink has been given everything up to `head` of the channels that were open before; of those
   * it opens, the sink will be given everything after `head`, and nothing up to it.
   */
  open(wants: ReadonlyMap<string, ReadFrom>): Promise<Opened>;
  /** Stops giving the sink entries of these channels. It may still be given some that are on their way. */
  release(channels: readonly string[]): void;
  /** The entries of a channel after one position and up to another. */
  read(channel: string, after: Position, until: Position): Promise<Page>;
  /** The newest position of all processes. */
  head(): Promise<LogHead>;
  /** Whether a channel is open or has ended, without reading its entries. */
  state(channel: string): Promise<ChannelState>;
  /**
   * Changes and renews what an owner holds of a lease set, and releases what other owners let expire. Optional: a
   * broker without it cannot be used with `presence`.
   *
   * @returns the keys that were free before and are held now, and those that were held and are free now.
   */
  lease?(set: string, change: LeaseChange): Promise<{ came: string[]; left: string[] }>;
  /** Closes connections and timers. Called once, last. */
  close(): Promise<void>;
}
