import type { ChannelState } from './channel.ts';
import type { LogEntry } from './entry.ts';
import type { Frame } from './frame.ts';
import type { Position } from './position.ts';

/** Where a subscription begins. `now`: with what comes. `start`: with all there is. */
export type From = 'now' | 'start' | { last: number } | { after: string };

/** An event, as a filter sees it. */
export interface FilterEvent {
  channel: string;
  event: string | undefined;
  key: string | undefined;
  /** As it goes on the wire. */
  data: string;
}

export interface SubscribeOptions {
  /** Default: after the last event that the client has seen, if it says which, else `now`. */
  from?: From | undefined;
  /** Which events of the channels the stream gets. Default: all. */
  filter?: ((event: FilterEvent) => boolean) | undefined;
}

/** What one stream follows of one channel. */
export class Subscription {
  readonly channel: ChannelState;
  readonly options: SubscribeOptions;
  /** Only what is after it counts. */
  start: Position;
  /** The client knows that what was up to here may be lost. */
  excused: Position = 0;
  /** The state that is to be sent first. */
  snapshot: Promise<Frame> | undefined;

  constructor(channel: ChannelState, options: SubscribeOptions, start: Position) {
    this.channel = channel;
    this.options = options;
    this.start = start;
  }

  /** The id that the application wants it to begin after. */
  get after(): string | undefined {
    const { from } = this.options;
    return typeof from === 'object' && 'after' in from ? from.after : undefined;
  }

  /** From where on a stream at a position needs the channel. */
  from(position: Position): Position {
    return Math.max(position, this.start);
  }

  /** Whether the channel's history no longer reaches back to what is needed, and the client does not know. */
  isLost(position: Position = 0): boolean {
    return Math.max(this.from(position), this.excused) < this.channel.history.floor;
  }

  /** Asks for the state of the channel, if it has any to tell and the application has not said where to begin. */
  startAtSnapshot(head: Position): void {
    if (!this.channel.hasSnapshots || this.options.from !== undefined) return;
    const { position, frame } = this.channel.snapshot(head);
    this.start = position;
    this.excused = position;
    this.snapshot = frame;
  }

  /** After a loss that the client is told of: a channel that has a state says it anew. */
  restart(head: Position): void {
    const { history } = this.channel;
    this.excused = history.floor;
    if (history.keep.compact) this.start = 0;
    this.startAtSnapshot(head);
  }

  /** Whether an entry that is not for everybody is for this stream. */
  wants(entry: LogEntry, isCalled: (name: string) => boolean): boolean {
    if (entry.except !== undefined && isCalled(entry.except)) return false;
    const { event, key, data } = entry;
    return this.options.filter?.({ channel: this.channel.name, event, key, data }) ?? true;
  }
}
