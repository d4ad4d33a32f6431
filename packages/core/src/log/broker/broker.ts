import type { TidingsError } from '../../base/errors.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';
import type { Keep } from '../keep.ts';

/**
 * The channel of control messages. Applications cannot use its name (names of channels beginning with NUL are refused).
 * A broker treats it like any other channel; every hub keeps it open from its start.
 */
export const CONTROL_CHANNEL = '\0control';

/** An entry without a position, and how much its channel retains. */
export interface Draft extends Omit<Entry, 'position'> {
  readonly keep: Readonly<Keep>;
}

/** Where a read starts: after a position (0: at the first retained entry), or with the last `last` events. */
export type ReadFrom = Position | { readonly last: number };

/** Part of one channel's log. */
export interface Page {
  /** Ascending. */
  readonly entries: readonly Entry[];
  /**
   * Entries up to this position may have been trimmed. This page and the pages after it contain all requested entries
   * after this position. A page that was read after a position may return that position, or a newer one. 0: nothing was
   * ever trimmed.
   */
  readonly trimmedUpTo: Position;
  /**
   * Whether there are more entries: call `read` with the position of this page's last entry. A page with `more` is not
   * empty.
   */
  readonly more: boolean;
  /** The channel's newest position, retained or not. Absent if the broker has no record of the channel. */
  readonly last?: Position | undefined;
  /** The position of the channel's `end`, if it has ended. */
  readonly endedAt?: Position | undefined;
  /**
   * In a compacted channel, entries up to this position may have been deleted because a newer one has their key. A hub
   * whose own settings do not compact the channel reads them as trimmed. Absent: none.
   */
  readonly supersededUpTo?: Position | undefined;
}

/** The contents of channels at one position. */
export interface Opened {
  /** The head, read after the call began. The pages have nothing newer. */
  readonly head: Position;
  /** One for each requested channel. */
  readonly pages: ReadonlyMap<string, Page>;
}

/** The newest position of a log, and its epoch. */
export interface LogHead {
  readonly epoch: string;
  readonly head: Position;
}

/** The results of one `publish`. */
export interface Published {
  /** The epoch of the positions. The sink may have received a newer one since. */
  readonly epoch: string;
  /** For each draft its position, or an error with the code `ended`, `not-stored` or `maybe-stored`. */
  readonly results: readonly (Position | TidingsError)[];
}

/** The state of a channel, which a broker can return without reading its entries. */
export interface ChannelState {
  /** `unknown`: nothing was ever published to it, or so long ago that the broker has deleted its record. */
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

/** The methods of the hub that a broker calls. No method throws. */
export interface Sink {
  /** New entries of open channels: in ascending order, and after all entries of earlier calls. */
  entries(list: readonly Entry[]): void;
  /** All entries of open channels up to `head` were passed to `entries`. */
  advanced(head: Position): void;
  /**
   * Entries of these channels (absent: of all open channels) were lost before they could be passed to `entries`. Call
   * it before `entries` with newer entries. The channels stay open; the hub reads them again.
   *
   * @param isCompaction whether all of the lost entries were deleted because a newer entry has their key. A hub that
   *   compacts the channel, too, then misses nothing.
   */
  lost(channels?: readonly string[], isCompaction?: boolean): void;
  /** The entries with positions between `after` and `before` are lost. No client can resume from these positions. */
  broken(after: Position, before: Position): void;
  /** The log has a new epoch, and older positions are invalid. No channel is open any more. */
  restarted(epoch: string, head: Position): void;
  /**
   * The broker connected to its store, or lost the connection (with the cause). For `hub.ready()` and `hub.stats()`.
   */
  connection(isConnected: boolean, cause?: unknown): void;
  /** Reports a problem that the application must fix. Goes to `onError`; call it once for each cause. */
  report(error: unknown): void;
}

/**
 * Stores the log of a hub that several processes share. A broker assigns every entry its position, retains the
 * channels' histories, and passes each process the new entries of the channels that it has opened.
 *
 * Promises reject with a TidingsError; the hub calls again later. A broker reconnects by itself. Until then, calls wait
 * for their deadline or reject. Afterwards, the broker passes the sink the entries that it missed, or calls `lost`.
 */
export interface Broker {
  /** Connects. Called before anything else, and again after a rejection. */
  start(sink: Sink): Promise<LogHead>;
  /**
   * Appends entries, in this order, each exactly once or not at all. Never called again before it has settled.
   *
   * `begin` of a channel that has not ended stores nothing: its result is the channel's newest position, or the head if
   * the channel is unknown. `begin` of an ended channel trims all entries up to its `end`, and reopens it. An ended
   * channel refuses all other entries with `ended`.
   *
   * @param drafts at most 500 entries and 256 KiB of data, unless it is one entry.
   * @param deadline aborted when the publisher stops waiting: drafts without a result get `not-stored` or
   *   `maybe-stored`. Later calls may use the same signal: remove your listeners from it.
   * @returns a promise of a result for each draft. Rejects with `not-stored` or `maybe-stored` only if that applies to
   *   all drafts.
   */
  publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published>;
  /**
   * Opens channels: reads their stored entries, and passes the sink their new entries from now on. Opening an open
   * channel reads it again. Never called again before it has settled.
   *
   * When it resolves, the sink has received all entries up to `head` of the channels that were open before. Of the
   * channels that this call opens, the sink will receive all entries after `head`, and none up to it.
   */
  open(wants: ReadonlyMap<string, ReadFrom>): Promise<Opened>;
  /** Stops passing entries of these channels to the sink. Some that are already in transit may still arrive. */
  release(channels: readonly string[]): void;
  /** The entries of a channel after one position and up to another. */
  read(channel: string, after: Position, until: Position): Promise<Page>;
  /** The newest position of all processes. */
  head(): Promise<LogHead>;
  /** Whether a channel is open or has ended, without reading its entries. */
  state(channel: string): Promise<ChannelState>;
  /**
   * Changes and renews the keys that an owner holds in a set of leases, and releases the expired keys of other owners.
   * Optional: a broker without it cannot be used with `presence`.
   *
   * @returns a promise of the keys that were free before and are held now (`came`), and of those that were held and are
   *   free now (`left`).
   */
  lease?(set: string, change: LeaseChange): Promise<{ came: string[]; left: string[] }>;
  /** Closes connections and timers. Called once, last. */
  close(): Promise<void>;
}
