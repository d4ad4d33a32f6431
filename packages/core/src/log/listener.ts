import type { Position } from '../protocol/event-id.ts';

/** Receives the entries of channels: the delivery of one stream. */
export interface LogListener {
  /** Delivers the entries that the log has for this listener. Called by the delivery loop. */
  catchUp(): void;
  /** Entries of these channels were lost before they arrived from the broker. */
  lose(channels: ReadonlySet<string>): void;
  /**
   * The log has a new epoch, and older positions are invalid. The listener begins again, like a client with an old id.
   */
  startOver(): void;
}

/** Waits until channels are read from the broker. */
export interface ChannelWaiter {
  /** The channels of which entries are missing now, and the position after which they are missing. */
  wants(): ReadonlyMap<string, Position>;
  /** All channels whose entries it needs to begin, in memory or not. They are not evicted during the read. */
  channels(): { isBeingRead: boolean }[];
  /** Called when the entries were read, as far as the broker retains them. */
  loaded(): void;
}

/** Keeps the entries of a channel after `start` from being trimmed, up to 16 MiB above the limit of the history. */
export interface Retention {
  readonly start: Position;
}
