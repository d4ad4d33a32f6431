import { ITERATION_BUDGET } from '../base/event-loop.ts';
import type { Comment } from '../protocol/comment.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import type { DeliveryOutcome, DeliveryTarget } from './delivery-target.ts';
import { type Action, DirectSendQueue } from './direct-send-queue.ts';
import type { LogReader } from './reader/log-reader.ts';
import { Gap, type Next } from './reader/next.ts';
import { ReplayMeter } from './replay.ts';
import type { Start } from './subscriptions/resume.ts';

/** Whose writer it is. */
export interface DeliveryOwner {
  /** Entries may be delivered. A filter that is called meanwhile may change that. */
  readonly isLive: boolean;
}

/**
 * How a delivery stops: `caught-up` with the log, `full` (the client has to read first), `waiting` for a snapshot or for
 * the answer whether a channel may be followed, `budget-spent`; or how the stream ends.
 */
export type DeliveryState = 'caught-up' | 'full' | 'waiting' | 'budget-spent' | DeliveryOutcome;

/** Writes entries of the log and direct sends to one stream, in order, while there is room. */
export class DeliveryWriter {
  readonly #reader: LogReader;
  readonly #target: DeliveryTarget;
  #directSends: DirectSendQueue | undefined;
  /** The stream closes when it has received everything up to here. */
  #closeAfter: Position | undefined;
  /** Until the stream has caught up for the first time. */
  #replay: ReplayMeter | undefined;

  constructor(reader: LogReader, target: DeliveryTarget) {
    this.#reader = reader;
    this.#target = target;
  }

  /** Bytes of direct sends that are queued. */
  get bufferedBytes(): number {
    return this.#directSends?.bytes ?? 0;
  }

  get isClosing(): boolean {
    return this.#closeAfter !== undefined;
  }

  /** Only entries of the log are to be written. */
  get isIdle(): boolean {
    return this.#reader.isInOrder && (this.#directSends?.isEmpty ?? true);
  }

  /** All channels have ended, and the stream has received everything. */
  get isFinished(): boolean {
    return this.isIdle && this.#reader.isFinished;
  }

  /** Writes as much as there is room for. */
  deliver(owner: DeliveryOwner): DeliveryState {
    let start = 0;
    let frames = 0;
    this.#reader.isBudgetSpent = false;
    while (owner.isLive && this.#target.writer.hasRoom) {
      if (this.#reader.hasUnreportedLoss) return 'lost';
      // It began after the position at which it closes. Its backfill may have sent what was published in between.
      if (this.#closeAfter !== undefined && this.#reader.position > this.#closeAfter) return 'closed';
      const next = this.#next();
      if (next === 'waiting') return this.isClosing ? 'cut-short' : 'waiting';
      if (next === 'caught-up') {
        // A filter may have subscribed, or sent.
        if (!this.isIdle || !owner.isLive) continue;
        if (this.#replay !== undefined) {
          this.#endReplay(true);
          continue;
        }
        if (this.#closeAfter !== undefined && this.#reader.position >= this.#closeAfter) return 'closed';
        if (this.isFinished) return 'ended';
        const marker = this.#reader.client.dueMarker();
        if (marker === undefined) return 'caught-up';
        // The application may send during a write: once more from the top.
        this.#target.writer.write(marker);
        continue;
      }
      if (next instanceof Gap) {
        if (next.disconnects && this.#target.canReconnect) return 'slow';
        this.#reader.skip(next);
      } else if (typeof next === 'function') next();
      else if (next !== 'more') this.#target.writer.write(next);
      // One stream must not hold the event loop. Most have one frame, and need no clock.
      frames += 1;
      if (frames === 2) start = performance.now();
      const isBudgetSpent = frames > 2 && performance.now() - start > ITERATION_BUDGET;
      if (isBudgetSpent || this.#reader.isBudgetSpent) return 'budget-spent';
    }
    return 'full';
  }

  #next(): Next | Comment | Action {
    const reader = this.#reader;
    const queue = this.#directSends;
    const upTo = queue?.nextAfter ?? this.#closeAfter ?? this.#target.context.log.head;
    // Most streams have no queue.
    const limit = queue?.hold?.(reader.position);
    if (limit !== undefined && (limit < upTo || !reader.isInOrder)) return this.#nextWithin(limit);
    if (!reader.isInOrder) return this.#counted(reader.next(upTo));
    return queue?.take(reader.position) ?? this.#counted(reader.nextEntries(upTo));
  }

  /** What comes next, up to a limit: what follows has to wait. */
  #nextWithin(limit: Position): Next {
    const reader = this.#reader;
    if (!reader.isInOrder || limit <= reader.position) return 'waiting';
    const next = this.#counted(reader.nextEntries(limit));
    return next === 'caught-up' ? 'waiting' : next;
  }

  #counted(next: Next): Next {
    if (this.#replay !== undefined && typeof next === 'object' && !(next instanceof Gap))
      this.#replay.count(next);
    return next;
  }

  /** @param limit returns, for the position of the stream, the position up to which it may deliver. Absent: no limit. */
  hold(limit: ((position: Position) => Position) | undefined): void {
    if (limit !== undefined) this.#directSends ??= new DirectSendQueue();
    if (this.#directSends !== undefined) this.#directSends.hold = limit;
  }

  /** Counts what the stream receives until it has caught up. */
  beginReplay({ isResumed, lost, reason }: Start): void {
    this.#replay = new ReplayMeter(isResumed, lost.length > 0 ? reason : undefined);
    this.#target.began(this.#replay);
  }

  #endReplay(isComplete: boolean): void {
    this.#replay?.end(isComplete);
    this.#replay = undefined;
  }

  /**
   * Sends a frame after everything that was published before.
   *
   * @param isLive the stream delivers entries: it waits for nothing.
   * @param after the newest position that was published before.
   */
  send(frame: Frame | Comment, isLive: boolean, after: Position): void {
    const isAtHead = isLive && this.isIdle && this.#reader.position >= after;
    if (isAtHead && this.#target.writer.hasRoom) {
      this.#target.writer.write(frame);
      return;
    }
    this.#directSends ??= new DirectSendQueue();
    this.#directSends.push(frame, after);
  }

  /** Runs an action when everything up to a position has been written. */
  runAfter(position: Position, action: Action): void {
    this.#directSends ??= new DirectSendQueue();
    this.#directSends.push(action, position);
  }

  /** Tells the target, once everything that was sent has been written. */
  reportWritten(): void {
    if (this.#directSends?.isEmpty) this.#target.directSendsWritten();
  }

  /**
   * The stream closes when it has received everything up to a position: by default, what is published by now, and not
   * later, because the client may ask for other channels next, from there. The lowest counts: another process may have
   * disconnected the client before.
   */
  close(after?: Position): void {
    const { now, head } = this.#target.context.log;
    const last = after ?? (now === undefined ? Number.POSITIVE_INFINITY : head);
    this.#closeAfter = Math.min(this.#closeAfter ?? last, last);
    this.#directSends?.limit(this.#closeAfter);
  }

  /** Nothing waits for entries after this position. */
  limit(position: Position): void {
    this.#directSends?.limit(position);
    if (this.#closeAfter !== undefined) this.#closeAfter = Math.min(this.#closeAfter, position);
  }

  /**
   * Writes what is left, and tells the target how the delivery has ended.
   *
   * @param error why, if it has failed.
   * @param keptId creates a marker with the id that the client came with, if that is still right.
   */
  end(outcome: DeliveryOutcome, error: unknown, keptId: () => Frame | undefined): void {
    try {
      // Whatever ends a response with subscriptions, its client receives an id from which it can resume.
      this.#writeLast(outcome, keptId);
    } catch (failure) {
      this.#target.deliveryOver('error', error ?? failure, 'write');
      return;
    }
    this.#target.deliveryOver(outcome, error);
  }

  /**
   * Writes what is left for a stream that ends: if it was closed, direct sends, though entries that were published before
   * them are not delivered; pending notices; and a marker.
   */
  #writeLast(outcome: DeliveryOutcome, keptId: () => Frame | undefined): void {
    const { writer, hasMarkers } = this.#target;
    if (outcome === 'closed' || outcome === 'cut-short') {
      this.#directSends?.limit(0);
      for (
        let content = this.#directSends?.take(0);
        content !== undefined;
        content = this.#directSends?.take(0)
      ) {
        if (typeof content !== 'function') writer.write(content);
      }
    }
    const pending = this.#reader.takePending();
    if (pending !== undefined) writer.write(pending);
    const { client, isInterrupted } = this.#reader;
    const isDue = hasMarkers && typeof client.lastIdSent !== 'number';
    let marker: Frame | undefined;
    if (outcome === 'ended') marker = client.mark('.');
    else if (isDue) {
      // Once the client was sent another id, it must not return to its Last-Event-ID.
      const kept = client.lastIdSent === undefined ? keptId() : undefined;
      marker = kept ?? client.mark(isInterrupted ? '~' : '');
    }
    if (marker !== undefined) writer.write(marker);
  }

  clear(): void {
    this.#directSends?.clear();
    this.#endReplay(false);
  }
}
