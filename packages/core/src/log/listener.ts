import type { Position } from '../protocol/event-id.ts';

/** What receives the entries of channels: the delivery of one stream. The log knows its listeners by this alone. */
export interface LogListener {
  /** Delivers what the log has for it by now. Called by the delivery loop. */
  catchUp(): void;
  /** Entries of these channels were lost on their way from the broker. */
  lose(channels: ReadonlySet<string>): void;
  /** Positions have lost their meaning (a new epoch): it begins again, like a client with an id of before. */
  startOver(): void;
}

/** What waits for channels to be read from the broker. */
export interface ChannelWaiter {
  /** The channels whose entries it lacks, and after which position, as things are now. */
  wants(): ReadonlyMap<string, Position>;
  /** The entries are there, as far as the broker retains them. */
  loaded(): void;
}
