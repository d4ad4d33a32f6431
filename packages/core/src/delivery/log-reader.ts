import type { Log } from '../log/log.ts';
import type { IdSuffix, Position } from '../protocol/event-id.ts';
import { type Frame, joinFrames } from '../protocol/frame.ts';
import { createMarker, createReset } from '../protocol/marker.ts';
import type { ResetReason } from '../protocol/reset.ts';
import { Backfill } from './backfill.ts';
import { merge } from './merge.ts';
import type { Start } from './resume.ts';
import type { Reader, Subscription } from './subscription.ts';

/** What a cursor needs of its stream. */
export interface CursorHost extends Reader {
  readonly log: Log;
  readonly settings: { readonly resetEvent: string };
  /** Its client is told that it has missed something. */
  lost(reason: ResetReason, channels: readonly string[]): void;
  /** Its client goes on after the last event that it has seen. */
  resumed(): void;
  /** What it needs has left the history, and its channel wants it to come back for it. */
  overflowed(last: Frame | undefined): void;
  failed(error: unknown): void;
}

const NONE: readonly Subscription[] = [];

/** A place in the log, and what one stream is to be given from there on, in which order. */
export abstract class Cursor<Host extends CursorHost> {
  protected readonly host: Host;
  protected subscriptions = NONE;
  /** Everything up to here that the stream was to get has been written. Moves only forward. */
  protected position: Position = 0;
  /** The position that the client knows of, by the last id it was sent. */
  #told: Position | undefined;
  /** To be written before all else: resets and markers. */
  #notes: (() => Frame)[] | undefined;
  #backfill: Backfill | undefined;

  constructor(host: Host) {
    this.host = host;
  }

  protected get log(): Log {
    return this.host.log;
  }

  /** What was waited for is there. */
  protected abstract awake(): void;
  /** Has the channels keep what the stream cannot be given for now; see {@link keep}. */
  protected abstract keepWhatWaits(): void;

  /** Nothing is to be written out of the order of the log. */
  protected get isClear(): boolean {
    return this.#notes === undefined && !this.#backfill?.isUnderWay;
  }

  /** The application works at a state, and nothing is written before that. */
  protected get isWaiting(): boolean {
    return this.#backfill?.isWaiting === true;
  }

  /** Has channels keep what the stream needs from here on; unless `always`, only if something older is to come first. */
  protected keep(always: boolean): void {
    if (always) this.#backfill ??= new Backfill();
    this.#backfill?.pin(this.subscriptions, this.position);
  }

  protected keepNothing(): void {
    this.#backfill?.unpin();
  }

  /** Follows no others than these any more. */
  protected stayWith(subscriptions: readonly Subscription[]): void {
    this.subscriptions = subscriptions;
    this.#backfill?.keep(subscriptions);
  }

  /** Forgets where it was. */
  protected clear(): void {
    this.subscriptions = NONE;
    this.position = 0;
    this.#told = undefined;
    this.#notes = undefined;
    this.#backfill?.clear();
  }

  /** Goes to where the stream begins. */
  protected goTo({ position, isResumed, reason, lost }: Start): void {
    this.position = position;
    if (isResumed) this.host.resumed();
    this.#reset(reason, lost);
    this.add(this.subscriptions.filter(({ after }) => after !== undefined));
    this.#beginBackfill(this.subscriptions.filter(({ after }) => after === undefined));
  }

  /** Takes in subscriptions for which the application has said where they begin, or that come late. */
  protected add(subscriptions: readonly Subscription[]): void {
    const unknown = subscriptions.filter(({ after }) => {
      return after !== undefined && this.log.positionOf(after) === undefined;
    });
    this.#reset('unknown', unknown);
    const lost = subscriptions.filter(subscription => subscription.isLost());
    this.#reset('history', lost);
    for (const subscription of subscriptions) subscription.startAtSnapshot(this.log.head);
    this.#beginBackfill(subscriptions);
  }

  /** What comes before the entries of the log: notes, then what is older. */
  protected takeFirst(): Frame | undefined {
    if (this.#notes !== undefined) return this.#takeNotes(this.#notes);
    if (this.#backfill?.isUnderWay !== true || this.#backfill.isWaiting) return undefined;
    const lost = this.#backfill.takeLost(this.position);
    if (lost.length === 0) return this.#backfill.take(this.position, this.host) ?? this.mark('');
    this.#goOnAtHead(lost);
    return this.takeFirst();
  }

  /** What comes next, up to a position: one write's worth at most. Undefined: the stream has come to that position. */
  protected takeUpTo(upto: Position): Frame | undefined {
    if (this.position >= upto) return undefined;
    if (this.#hasLost) return this.#takeLoss();
    const frame = this.#takeEntries(upto);
    // If there is none, nothing up to there is for this stream.
    if (frame === undefined) this.position = Math.max(this.position, upto);
    return frame;
  }

  #takeEntries(upto: Position): Frame | undefined {
    const ready =
      this.subscriptions.length > 1
        ? this.subscriptions.filter(subscription => subscription.hasNewer(this.position))
        : this.subscriptions;
    const [only] = ready;
    if (only === undefined) return undefined;
    if (ready.length === 1 && only.options.filter === undefined) {
      const piece = only.pieceAfter(this.position);
      if (piece === undefined) return undefined;
      if (!piece.hasExceptions && piece.last <= upto) {
        this.#told = this.position = piece.last;
        return piece.frame;
      }
    }
    // The channels, a filter or exceptions make it this stream's own.
    return merge(
      ready,
      subscription => subscription.channel.entryAfter(subscription.from(this.position), upto),
      (subscription, entry) => {
        this.position = entry.position;
        if (subscription.hasLeft || !subscription.wants(entry, this.host)) return undefined;
        this.#told = entry.position;
        return entry.frame;
      },
    );
  }

  /** The channels have ended, and the stream has been given all of them. */
  protected get hasHadAll(): boolean {
    const { subscriptions } = this;
    for (const each of subscriptions) if (!each.isOver(this.position, this.host)) return false;
    // A filter, asked for that, may have subscribed to more.
    return subscriptions.length > 0 && subscriptions === this.subscriptions && this.isClear;
  }

  /** Tells a client where the log is by now, if it does not know and there was nothing for it. */
  protected tellHead(): Frame | undefined {
    if (this.subscriptions.some(subscription => subscription.hasNewer(this.position))) return undefined;
    this.position = Math.max(this.position, this.log.passed);
    return this.#told === this.position ? undefined : this.mark('');
  }

  /** Tells a client where it stands that has no id yet. */
  protected tellFirst(): Frame | undefined {
    return this.#told === undefined ? this.mark('') : undefined;
  }

  /** Tells the client where it stands. */
  protected mark(suffix: IdSuffix): Frame {
    this.#told = this.position;
    return createMarker(this.log.id(this.position, suffix));
  }

  /** Its client is told of a loss; the subscriptions stay where they are. */
  protected tellLoss(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    if (subscriptions.length === 0) return;
    const channels = subscriptions.map(({ channel }) => channel.name);
    this.#note(() => {
      // Before a backfill or in the middle of one, the client must not take it for complete.
      const id = this.log.id(this.position, this.#backfill?.isUnderWay ? '~' : '');
      return createReset({ reason, channels }, id, this.host.settings.resetEvent);
    });
    this.host.lost(reason, channels);
    this.#told = this.position;
  }

  #reset(reason: ResetReason, subscriptions: readonly Subscription[]): void {
    this.tellLoss(reason, subscriptions);
    for (const subscription of subscriptions) subscription.restart(this.log.head);
  }

  /** Whether what the stream needs of a channel has left its history. A loop: this is done before each write. */
  get #hasLost(): boolean {
    for (const subscription of this.subscriptions) if (subscription.isLost(this.position)) return true;
    return false;
  }

  /** What there is to say of that. */
  #takeLoss(): Frame | undefined {
    const lost = this.subscriptions.filter(subscription => subscription.isLost(this.position));
    if (lost.some(({ channel }) => channel.overflow === 'disconnect')) {
      this.host.overflowed(this.tellFirst());
      return undefined;
    }
    this.#goOnAtHead(lost);
    return this.takeFirst();
  }

  /** What is left would be lost again before it is sent. */
  #goOnAtHead(lost: readonly Subscription[]): void {
    for (const subscription of lost) subscription.start = this.log.head;
    this.#reset('slow', lost);
    this.#beginBackfill(lost);
  }

  #beginBackfill(subscriptions: readonly Subscription[]): void {
    const older = subscriptions.filter(
      ({ start, snapshot }) => start < this.position || snapshot !== undefined,
    );
    if (older.length > 0 && !this.#backfill?.isUnderWay) this.#note(() => this.mark('~'));
    const onReady = () => this.awake();
    const onError = (error: unknown) => this.host.failed(error);
    for (const subscription of older) {
      this.#backfill ??= new Backfill();
      this.#backfill.add(subscription, onReady, onError);
    }
    this.keepWhatWaits();
  }

  /** Made when it is written: what it says of a backfill may change until then. */
  #note(make: () => Frame): void {
    this.#notes ??= [];
    this.#notes.push(make);
  }

  #takeNotes(notes: readonly (() => Frame)[]): Frame {
    this.#notes = undefined;
    return joinFrames(notes.map(make => make()));
  }
}
