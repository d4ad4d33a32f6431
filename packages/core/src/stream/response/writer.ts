import type { Scheduler } from '../../base/scheduler.ts';
import type { GzipBody } from '../../compression/gzip-body.ts';
import { Comment } from '../../protocol/comment.ts';
import type { Frame } from '../../protocol/frame.ts';
import { FrameQueue, isLarge } from '../../protocol/frame-queue.ts';
import type { StreamMeter, StreamSummary } from '../stats/stream-meter.ts';
import type { StreamLimits } from '../stream-limits.ts';
import type { Transport } from '../transport.ts';
import type { ResponseHead, Status } from './response-head.ts';

/** What a writer tells its stream. */
export interface WriterListener {
  readonly host: {
    readonly scheduler: Scheduler;
    readonly limits: Pick<StreamLimits, 'heartbeat' | 'compression' | 'fanOut'>;
  };
  /** A frame was handed to the transport. */
  onWritten(frame: Frame): void;
  /** There is room again after there was none. */
  onRoom(): void;
  /** The client does not keep up. */
  onFull(): void;
}

/**
 * How a response ends: `complete`; `hang-up`, with its connection; `incomplete`, so that the client notices that something
 * is missing.
 */
type Ending = 'complete' | 'hang-up' | 'incomplete';

/** Writes one response through its transport, and queues what the client does not read in time. */
export class Writer {
  /** When something was last written, by the clock, or later. */
  lastWriteAt: number;
  /** Set if an observer wants to know. */
  meter: StreamMeter | undefined;
  readonly #transport: Transport;
  readonly #listener: WriterListener;
  /** Absent once it has been sent. */
  #head: ResponseHead | undefined;
  /** Encoded, once the headers are sent. */
  #queue: FrameQueue | undefined;
  /** Absent if the body is not compressed, or is complete. */
  #gzip: GzipBody | undefined;
  /** A frame that was written, or queued here, has an id. */
  #hasId = false;
  /** The transport has returned false, and has not drained since. */
  #isFull = false;
  /** Set when the response ends once everything is written. */
  #end: Ending | undefined;
  /** Bytes in the transport at the last check, and when they last moved. */
  #checkedBytes = 0;
  #movedAt: number;
  /** Handed to the transport. Counted here, and not by the meter: this object is at hand for each write. */
  #events = 0;
  #bytes = 0;

  /** @param gzip encodes the body. Absent: the body is not compressed. */
  constructor(
    transport: Transport,
    listener: WriterListener,
    head: ResponseHead,
    gzip: GzipBody | undefined,
  ) {
    this.#transport = transport;
    this.#listener = listener;
    this.#head = head;
    this.#gzip = gzip;
    this.lastWriteAt = listener.host.scheduler.now;
    this.#movedAt = listener.host.scheduler.now;
  }

  /** Absent once it has been sent. */
  get head(): ResponseHead | undefined {
    return this.#head;
  }

  /** The request is rejected. See {@link ResponseHead.rejected}. */
  reject(retryAfter: number | undefined): void {
    this.#head = this.#head?.rejected(retryAfter);
  }

  /** An id was written. */
  get hasSentId(): boolean {
    return this.#hasId;
  }

  /** Whether the next frame goes straight to the transport. */
  get hasRoom(): boolean {
    return this.#head === undefined && !this.#isFull && this.#queue === undefined;
  }

  /** Its client does not keep up. */
  get isLagging(): boolean {
    return this.#head === undefined && !this.hasRoom;
  }

  /** The end of the response follows what is queued. */
  get isEnding(): boolean {
    return this.#end !== undefined;
  }

  /** Something else has sent a response. */
  get wasRefused(): boolean {
    return this.#transport.refused === true;
  }

  get request(): Transport['request'] {
    return this.#transport.request;
  }

  /** What the stream has done since it has a meter. */
  get summary(): StreamSummary | undefined {
    return this.meter?.sumUp(this.#events, this.#bytes);
  }

  get bufferedBytes(): number {
    return (this.#queue?.length ?? 0) + this.#transport.bufferedBytes;
  }

  /**
   * Sends the headers, then what was written before. With a status other than 200 there is no body. Throws what the
   * transport throws.
   *
   * @param isSubscribed whether the stream has subscriptions.
   */
  sendHeaders(wanted: Status, isSubscribed: boolean): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    if (wanted !== 200) this.drop();
    const { limits } = this.#listener.host;
    const [status, headers, first] = head.build(wanted, {
      isFollowed: this.#queue !== undefined,
      isSubscribed,
      heartbeat: limits.heartbeat.interval,
      isCompressed: limits.compression && this.#gzip !== undefined,
    });
    if (status !== 200) this.#gzip = undefined;
    this.#transport.open(status, headers, this.#end !== undefined && this.#end !== 'complete');
    this.#movedAt = this.#listener.host.scheduler.now;
    if (first !== undefined) this.#hand(this.#gzip?.encode(first) ?? first);
    if (this.#gzip !== undefined) this.#encodeQueue(this.#gzip);
    this.meter?.headersSent(status);
    this.#flush();
    if (this.hasRoom) this.#listener.onRoom();
  }

  /** Writes or queues a frame. Returns whether there is room for another. */
  write(content: Frame | Comment): boolean {
    if (this.isEnding) return false;
    // Decided in the order of writing: what is queued here is sent in this order.
    const plain = content instanceof Comment ? content.frame(this.#hasId) : content;
    this.#hasId ||= plain.hasId;
    // Encoded in the order of writing, too. What precedes the headers is encoded with them.
    const frame = this.#head === undefined ? (this.#gzip?.encode(plain) ?? plain) : plain;
    if (this.hasRoom && !isLarge(frame)) return this.#hand(frame);
    this.#queue ??= new FrameQueue();
    this.#queue.push(frame);
    this.#flush();
    return this.hasRoom;
  }

  /** Drops what is queued here. */
  drop(): void {
    this.#queue = undefined;
  }

  /** Ends the response after what was written. Called again, it can still end the connection, too. */
  end(ending: Ending): void {
    if (this.#end === undefined || this.#end === 'complete') this.#end = ending;
    this.#flush();
  }

  /** Ends the response at once. No headers are sent any more. */
  abort(): void {
    this.#head = undefined;
    this.drop();
    this.#transport.destroy();
  }

  /** A client that has read everything has room, though the transport may not have said so (Fetch says it on pull). */
  checkRoom(): void {
    if (this.#isFull && this.#transport.bufferedBytes === 0) this.#drained();
  }

  /** ms for which bytes have been on their way without moving. An end has to be read, too. */
  stalledFor(now: number): number {
    // Writes in between only add to this number. So if it is lower, some bytes have moved.
    const { bufferedBytes } = this.#transport;
    const isWaiting = this.#isFull || bufferedBytes > 0 || this.isEnding;
    if (!isWaiting || bufferedBytes < this.#checkedBytes || this.#head !== undefined) this.#movedAt = now;
    this.#checkedBytes = bufferedBytes;
    // While this process was paused, no client could be read from.
    return now - Math.max(this.#movedAt, this.#listener.host.scheduler.resumedAt);
  }

  #encodeQueue(gzip: GzipBody): void {
    const plain = this.#queue;
    if (plain === undefined) return;
    this.#queue = new FrameQueue();
    while (plain.length > 0) this.#queue.push(gzip.encode(plain.take()));
  }

  #hand(frame: Frame): boolean {
    const { scheduler, limits } = this.#listener.host;
    this.lastWriteAt = scheduler.now + scheduler.resolution;
    this.#isFull = !this.#transport.write(frame, limits.fanOut);
    this.#listener.onWritten(frame);
    if (this.#events === 0 && frame.events > 0) this.meter?.firstEvent();
    this.#events += frame.events;
    this.#bytes += frame.length;
    if (this.#isFull) {
      this.meter?.full(this.bufferedBytes);
      // Most clients keep up. A listener for each would take as much memory as the rest of this.
      this.#transport.onDrain ??= () => this.#drained();
      this.#listener.onFull();
    }
    return !this.#isFull;
  }

  #drained(): void {
    this.#isFull = false;
    this.#movedAt = this.#listener.host.scheduler.now;
    this.#flush();
    if (this.hasRoom) this.#listener.onRoom();
  }

  #flush(): void {
    if (this.#head !== undefined) return;
    while (this.#queue !== undefined && !this.#isFull) {
      const piece = this.#queue.take();
      if (this.#queue.length === 0) this.#queue = undefined;
      this.#hand(piece);
    }
    if (this.#queue !== undefined || this.#end === undefined) return;
    if (this.#gzip !== undefined && this.#end !== 'incomplete') this.#transport.write(this.#gzip.end());
    this.#gzip = undefined;
    if (this.#end !== 'incomplete') this.#transport.end(this.#end === 'hang-up');
    else if (this.#transport.endIncomplete) this.#transport.endIncomplete();
    else this.#transport.destroy();
  }
}
