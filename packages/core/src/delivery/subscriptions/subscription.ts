import type { ChannelLog } from '../../log/channel-log.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { Log } from '../../log/log.ts';
import type { Piece } from '../../log/pieces.ts';
import type { State } from '../../log/snapshots.ts';
import { isInterrupted, type Position } from '../../protocol/event-id.ts';
import type { BoundOptions } from './subscribe-options.ts';

/** Whose subscription it is. */
export interface Subscriber {
  /** Whether `except` of an event names it: the id of its stream, or its client. */
  isExcludedBy(name: string): boolean;
  /**
   * Receives what is written next: an entry, or the state of a channel. For a subscriber that is no response, and has
   * no use for frames. Every subscription of it has a filter, so that no joined frames are written.
   */
  receive?(channel: string, content: LogEntry | State): void;
}

/** What a stream's subscriptions begin with. */
export interface Beginning {
  /** The id that the client sent, if it counts. */
  readonly lastEventId: string | undefined;
  /** Its position, if the client can resume from it. */
  readonly last: Position | undefined;
}

/** The interest of one stream in one channel. */
export class Subscription {
  readonly channel: ChannelLog;
  /** It was made later than the first of its stream: Last-Event-ID does not count. */
  readonly isLate: boolean;
  options: BoundOptions;
  isCancelled = false;
  /** Only entries after it count. Before it is known (`hasStart`), 0. */
  start: Position = 0;
  hasStart = false;
  /** The client has been told that entries up to here may be lost. */
  lossReportedUpTo: Position = 0;
  /** `losses` of the channel when it was last read for this subscription: with another value, it is read again. */
  readLosses = -1;
  /** The state that is sent first. */
  snapshot: Promise<State> | undefined;
  /** The newest position when it was made: what is newer is "now". Unknown until the broker has told where it is. */
  #subscribedAt: Position | undefined;

  constructor(channel: ChannelLog, options: BoundOptions, now: Position | undefined, isLate: boolean) {
    this.channel = channel;
    this.isLate = isLate;
    this.options = options;
    this.#subscribedAt = now;
  }

  /** The id after which the application wants it to begin. */
  get after(): string | undefined {
    const { from } = this.options;
    return typeof from === 'object' && 'after' in from ? from.after : undefined;
  }

  /** Whether it begins after an id that this log does not know, so that the client may have missed events. */
  hasUnknownStart(log: Log): boolean {
    return this.after !== undefined && log.positionOf(this.after) === undefined && this.channel.reportsLoss;
  }

  /** The id before which this client cannot have followed the channel. */
  get since(): string | undefined {
    const { from } = this.options;
    return typeof from === 'object' && 'since' in from ? from.since : undefined;
  }

  /** Whether it begins after the client's id, if it can. Another `from` counts where the client does not resume. */
  get isByDefault(): boolean {
    return this.options.from === undefined || this.since !== undefined;
  }

  /** Whether it begins where the application says, and not after the client's Last-Event-ID. */
  hasOwnStart(log: Log, { last }: Beginning): boolean {
    if (this.isLate || this.after !== undefined || this.options.from === 'state') return true;
    const since = log.positionIn(this.since);
    return since !== undefined && last !== undefined && last < since;
  }

  /**
   * Whether it resumes at the position of the client's id. After an interrupted backfill, which of it has arrived is
   * unknown; but nothing newer was sent, so a channel without state continues from there.
   */
  resumesAfter(lastEventId: string | undefined): boolean {
    return !isInterrupted(lastEventId) || (this.isByDefault && !this.wantsState);
  }

  /** Whether it begins with the channel's state, where it does not resume. */
  get wantsState(): boolean {
    const { from } = this.options;
    return this.channel.hasState && (from === 'state' || this.isByDefault);
  }

  /** Whether it is still to begin, perhaps with what is older than the position of its stream. */
  get awaitsOlder(): boolean {
    const { from } = this.options;
    return !this.hasStart && (from === undefined ? this.channel.hasState : from !== 'now');
  }

  /** The position after which the entries of the channel are needed to begin. */
  neededAfter(log: Log, beginning: Beginning): Position {
    this.#subscribedAt ??= log.origin;
    // A slow stream may need the whole state of a compacted channel at any time.
    if (this.channel.history.keep.compact) return 0;
    const { from } = this.options;
    if (this.after !== undefined) return log.positionIn(this.after) ?? 0;
    const since = log.positionIn(this.since);
    if (since !== undefined && this.hasOwnStart(log, beginning)) return since;
    if (from === 'state') return this.#subscribedAt;
    const { lastEventId, last } = beginning;
    if (last !== undefined && !this.isLate && this.resumesAfter(lastEventId)) return last;
    const isFresh = this.isLate || lastEventId === undefined;
    const isNow = from === 'now' || (this.isByDefault && isFresh);
    return isNow ? this.#subscribedAt : 0;
  }

  /** The newest position that it names or was made at: entries up to there exist, and have to be here. */
  newestNamed(log: Log): Position {
    const named = Math.max(log.positionIn(this.after) ?? 0, log.positionIn(this.since) ?? 0);
    return Math.max(named, this.#subscribedAt ?? 0);
  }

  /** Finds where it begins, unless it resumes. To be called when the entries it needs are here. */
  resolveStart(log: Log, beginning: Beginning): void {
    this.hasStart = true;
    const { history } = this.channel;
    const { from } = this.options;
    const now = this.#subscribedAt ?? log.origin;
    // The state is what is left of what there was: nothing of that counts as lost.
    if (history.keep.compact && this.after === undefined) {
      this.lossReportedUpTo = Math.min(now, history.trimmedUpTo);
    }
    if (this.after !== undefined) {
      this.start = log.positionOf(this.after) ?? this.channel.retainedAfter;
    } else if (typeof from === 'object' && 'last' in from) {
      this.start = Math.min(now, Math.max(history.positionBefore(from.last, now), this.channel.beginning));
    } else if (from === 'start' || (this.wantsState && history.keep.compact)) {
      // If entries that came since the call were trimmed already, they are lost.
      this.start = Math.min(now, this.channel.beginning);
    } else if (this.since !== undefined && this.hasOwnStart(log, beginning)) {
      this.start = log.positionOf(this.since) ?? now;
    } else {
      this.start = now;
    }
  }

  /** The first delivery has begun: from now on what its stream needs is retained by other means. */
  releaseStart(): void {
    this.channel.retentions.delete(this);
  }

  /** Begins after the last event that the client has received. */
  resume(position: Position): void {
    this.start = position;
    this.lossReportedUpTo = 0;
  }

  /** Uses another filter from here on. */
  setFilter(filter: BoundOptions['filter']): void {
    this.options = { from: this.options.from, filter };
  }

  /** The offset of a stream at a position in this channel: entries after it are next. */
  offset(position: Position): Position {
    return Math.max(position, this.start);
  }

  /** The next piece of the channel that has something to send. */
  pieceAfter(position: Position): Piece | undefined {
    let piece = this.channel.pieceAfter(this.offset(position));
    while (piece !== undefined && piece.frame === undefined) piece = this.channel.pieceAfter(piece.last);
    return piece;
  }

  /** Whether the channel has entries after a stream's position. */
  hasNewer(position: Position): boolean {
    return this.channel.history.newest > this.offset(position);
  }

  /** Whether entries that a stream at a position needs were trimmed, and the client has not been told. */
  hasGap(position: Position = 0): boolean {
    const { history, reportsLoss, undeliveredUpTo } = this.channel;
    const offset = Math.max(this.offset(position), this.lossReportedUpTo);
    return offset < (reportsLoss ? history.trimmedUpTo : undeliveredUpTo);
  }

  /** Requests the channel's snapshot, if it has one. */
  requestSnapshot(head: Position): void {
    const snapshot = this.channel.requestSnapshot(head);
    if (snapshot === undefined) return;
    this.start = snapshot.position;
    this.lossReportedUpTo = snapshot.position;
    this.snapshot = snapshot.state;
  }

  /** Begins again after a loss that the client is told of: with the state, if the channel has one. */
  restart(head: Position): void {
    const { history } = this.channel;
    this.lossReportedUpTo = history.trimmedUpTo;
    if (history.keep.compact) this.start = this.channel.beginning;
    this.requestSnapshot(head);
  }

  /** Whether the channel has ended, and has nothing more for a stream at a position. */
  isFinished(position: Position, subscriber: Subscriber): boolean {
    if (this.channel.endedAt === undefined) return false;
    for (let after = this.offset(position); ; ) {
      const entry = this.channel.entryAfter(after);
      if (entry === undefined) return true;
      if (this.accepts(entry, subscriber)) return false;
      after = entry.position;
    }
  }

  /** Takes an entry as the next. Returns whether it is sent to this stream. */
  take(entry: LogEntry, subscriber: Subscriber): boolean {
    if (!this.accepts(entry, subscriber)) return false;
    subscriber.receive?.(this.channel.name, entry);
    return true;
  }

  /** Whether an entry is sent to this stream. */
  accepts(entry: LogEntry, subscriber: Subscriber): boolean {
    if (entry.frame === undefined) return false;
    if (entry.except !== undefined && subscriber.isExcludedBy(entry.except)) return false;
    const { filter } = this.options;
    if (filter === undefined) return true;
    const { event, key } = entry;
    return filter({
      channel: this.channel.name,
      event,
      key,
      // Many filters do not look at it.
      get data() {
        return entry.value;
      },
    });
  }
}
