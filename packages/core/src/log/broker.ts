import type { TidingsError } from '../base/errors.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Entry } from './entry.ts';
import type { Keep } from './history.ts';

/** An entry that has no position yet, and how much its channel keeps. */
export interface Draft extends Omit<Entry, 'position'> {
  readonly keep: Readonly<Keep>;
}

/** From where on a channel is wanted: after a position (0: all there is), or its last so many events. */
export type Reach = Position | { readonly last: number };

/** A stretch of one channel's log. */
export interface Page {
  /** Ascending. */
  readonly entries: readonly Entry[];
  /**
   * What is up to it has left the history: of what was asked for, the page, with those that follow it, has everything
   * that is after it. 0: nothing has ever left.
   */
  readonly floor: Position;
  /** There is more: `read` on, after the last entry of this page, which has at least one. */
  readonly more: boolean;
  /** The channel's newest position, whether or not it is still kept; absent if nothing is known of the channel. */
  readonly last?: Position | undefined;
  /** The position of the channel's `end`, if it has ended. */
  readonly ended?: Position | undefined;
}

/** Channels as they are up to one position. */
export interface Opened {
  /** The head, read after the call. The pages have nothing newer. */
  readonly head: Position;
  /** One for each channel that was asked for. */
  readonly pages: ReadonlyMap<string, Page>;
}

/** The head of a log, and what this life of the log is called: positions have a meaning only in theirs. */
export interface LogHead {
  readonly epoch: string;
  readonly head: Position;
}

/** What has become of drafts. */
export interface Published {
  /** What the positions are of: by now, the sink may have been told of another epoch. */
  readonly epoch: string;
  /** For each draft its position, or why it has none: `ended`, `not-stored` or `maybe-stored`. */
  readonly results: readonly (Position | TidingsError)[];
}

/** What a hub offers its broker. None of it throws. */
export interface Sink {
  /** What has come to open channels: ascending, and each after everything that was given before. */
  entries(list: readonly Entry[]): void;
  /** Everything up to `head` that has come to open channels has been given. */
  seen(head: Position): void;
  /**
   * Something of these channels (absent: of all that are open) is gone that had not been given. To be called before
   * anything newer. They stay open, and the hub asks anew for what they keep.
   */
  lost(channels?: readonly string[]): void;
  /** No client can go on from a position after `after` and before `before`: what was there has been lost. */
  broken(after: Position, before: Position): void;
  /** Positions begin anew, and nothing from before has a meaning. No channel is open any more. */
  epoch(epoch: string, head: Position): void;
  /** What some node's hub, this one's included, gave to `tell`. */
  note(text: string): void;
}

/**
 * Where the log of a hub lives when there is more than one node. It gives every event its position, keeps the
 * channels' histories, and gives each node what comes to the channels it has open.
 *
 * Promises reject with a TidingsError; the hub calls again later. A broker survives the loss of its connection by
 * itself: meanwhile calls wait for their deadline, or reject, and afterwards the sink is given what it has missed,
 * or told that it is `lost`.
 */
export interface Broker {
  /** Connects. Called before anything else, and again if it rejects. */
  start(sink: Sink): Promise<LogHead>;
  /**
   * Adds entries to the log, in this order, each of them once or not at all. Never called again before it has
   * settled.
   *
   * @param drafts at most 500, and 256 KiB of data unless it is one.
   * @param deadline aborted when the publisher waits no longer. What has no answer by then must get one:
   *   `not-stored`, or `maybe-stored`. Calls that follow may get the same signal: take away what listens to it.
   * @returns what has become of each. Rejects, with `not-stored` or `maybe-stored`, only if that is so for all.
   */
  publish(drafts: readonly Draft[], deadline: AbortSignal): Promise<Published>;
  /**
   * Begins to give the sink what comes to channels, and reads what is there. Asking again for an open channel reads
   * it again. Never called again before it has settled.
   *
   * When it resolves, the sink has been given everything up to `head` of the channels that were open before; of
   * those it opens, the sink is given everything after `head`, and nothing up to it.
   */
  open(wants: ReadonlyMap<string, Reach>): Promise<Opened>;
  /** Channels that this node needs no longer. The sink may still be given some of them. */
  shut(channels: readonly string[]): void;
  /** What is in a channel after one position and up to another. */
  read(channel: string, after: Position, until: Position): Promise<Page>;
  /** The newest position there is, of all nodes. */
  head(): Promise<LogHead>;
  /** Gives a note to every node. Best effort. */
  tell(text: string): Promise<void>;
  /** Ends what it has begun: connections and timers. Called once, last. */
  close(): Promise<void>;
}
