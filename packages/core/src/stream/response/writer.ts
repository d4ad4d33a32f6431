import type { Scheduler } from '../../base/scheduler.ts';
import type { GzipBody } from '../../compression/gzip-body.ts';
import { Comment } from '../../protocol/comment.ts';
import type { Frame } from '../../protocol/frame.ts';
import { FrameQueue, isLarge } from '../../protocol/frame-queue.ts';
import type { StreamMeter, StreamSummary } from '../stats/stream-meter.ts';
import type { StreamLimits } from '../stream-limits.ts';
import type { Transport } from '../transport.ts';
import type { ResponseHead, Status } from './response-head.ts';

/** The callbacks of a writer, and what it needs of its hub. */
export interface WriterListener {
  readonly host: {
    readonly scheduler: Scheduler;
    readonly limits: Pick<StreamLimits, 'heartbeat' | 'compression' | 'fanOut'>;
  };
  /** A frame was passed to the transport. */
  onWritten(frame: Frame): void;
  /** `hasRoom` is true again. */
  onRoom(): void;
  /** The transport has reached its high-water mark. */
  onFull(): void;
}

/**
 * How a response ends. `complete-and-close` also closes the connection. `incomplete` lets the client detect that the
 * response is incomplete.
 */
type Ending = 'complete' | 'complete-and-close' | 'incomplete';

/** Writes one response through its transport, and queues frames that the client does not read in time. */
export class Writer {
  /** Time of the last write in ms, by the hub's clock: at most one tick too late. Too early directly after a pause. */
  lastWriteAt: number;
  /** Set if the hub has an observer. */
  meter: StreamMeter | undefined;
  readonly #transport: Transport;
  readonly #listener: WriterListener;
  /** Absent once it was sent. */
  #head: ResponseHead | undefined;
  /** The frames are compressed once the headers were sent, not before. */
  #queue: FrameQueue | undefined;
  /** Absent if the body is not compressed, or is complete. */
  #gzip: GzipBody | undefined;
  /** A frame that was written or queued has an id. */
  #hasId = false;
  /** `write` of the transport has returned false, and the transport has not drained since. */
  #isFull = false;
  /** Set when the response will end after the queued frames. */
  #end: Ending | undefined;
  /** `bufferedBytes` of the transport at the last check. */
  #checkedBytes = 0;
  /** When bytes last left the transport, in ms by the hub's clock. */
  #movedAt: number;
  /** Totals passed to the transport. Counted here, because the meter may be added later. */
  #events = 0;
  #bytes = 0;

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
    this.#movedAt = this.lastWriteAt = listener.host.scheduler.now;
  }

  /** Absent once it was sent. */
  get head(): ResponseHead | undefined {
    return this.#head;
  }

  /** Called when the request is rejected. See {@link ResponseHead.rejected}. */
  reject(retryAfter: number | undefined): void {
    this.#head = this.#head?.rejected(retryAfter);
  }

  /** An id was written or queued. */
  get hasSentId(): boolean {
    return this.#hasId;
  }

  /** Whether the next frame is passed to the transport without queueing. */
  get hasRoom(): boolean {
    return this.#head === undefined && !this.#isFull && this.#queue === undefined;
  }

  /** Whether the stream is a slow consumer. */
  get isLagging(): boolean {
    return this.#head === undefined && !this.hasRoom;
  }

  /** The response ends after the queued frames. */
  get isEnding(): boolean {
    return this.#end !== undefined;
  }

  /** Other code has sent the response. */
  get wasRefused(): boolean {
    return this.#transport.refused === true;
  }

  get request(): Transport['request'] {
    return this.#transport.request;
  }

  /** The totals of the stream. Undefined without a meter. */
  get summary(): StreamSummary | undefined {
    return this.meter?.sumUp(this.#events, this.#bytes);
  }

  get bufferedBytes(): number {
    return (this.#queue?.length ?? 0) + this.#transport.bufferedBytes;
  }

  /**
   * Sends the headers, then the frames that were written before. With a status other than 200 there is no body. Throws
   * what the transport throws.
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
    this.#beginBody(first);
    // The transport may call the application, which may write or close: what it writes is queued until this has returned.
    this.#isFull = true;
    this.#transport.open(status, headers, this.#end !== undefined && this.#end !== 'complete');
    this.#isFull = false;
    this.#movedAt = this.#listener.host.scheduler.now;
    this.meter?.headersSent(status);
    this.#flush();
    if (this.hasRoom) this.#listener.onRoom();
  }

  /** Writes or queues a frame. Returns `hasRoom`. */
  write(content: Frame | Comment): boolean {
    if (this.isEnding) return false;
    // The form of a comment depends on the frames before it. Queued frames keep their order, so it is known here.
    const plain = content instanceof Comment ? content.frame(this.#hasId) : content;
    this.#hasId ||= plain.hasId;
    // Frames must be compressed in the order in which they are sent. Before the headers, they are queued uncompressed.
    const frame = this.#head === undefined ? (this.#gzip?.encode(plain) ?? plain) : plain;
    if (this.hasRoom && !isLarge(frame)) return this.#pass(frame);
    this.#queue ??= new FrameQueue();
    this.#queue.push(frame);
    this.#flush();
    return this.hasRoom;
  }

  /** Drops the queued frames. */
  drop(): void {
    this.#queue = undefined;
  }

  /** Ends the response after the queued frames. A second call can still change `complete` to another ending. */
  end(ending: Ending): void {
    if (this.#end === undefined || this.#end === 'complete') this.#end = ending;
    this.#flush();
  }

  /** Aborts the response immediately. Headers that were not sent are never sent. */
  abort(): void {
    this.#head = undefined;
    this.drop();
    this.#transport.destroy();
  }

  /** Detects that the client has read everything before the transport calls `drained` (Fetch: when it is pulled). */
  checkRoom(): void {
    if (this.#isFull && this.#transport.bufferedBytes === 0) this.drained();
  }

  /** ms for which no byte has left the transport although bytes, or the end of the response, are waiting in it. */
  stalledFor(now: number): number {
    // Writes only increase `bufferedBytes`. If it is lower than at the last check, bytes have moved.
    const { bufferedBytes } = this.#transport;
    const isWaiting = this.#isFull || bufferedBytes > 0 || this.isEnding;
    if (!isWaiting || bufferedBytes < this.#checkedBytes || this.#head !== undefined) this.#movedAt = now;
    this.#checkedBytes = bufferedBytes;
    // While this process was paused, no bytes could move.
    return now - Math.max(this.#movedAt, this.#listener.host.scheduler.resumedAt);
  }

  /** Queues the first bytes before the queued frames, and compresses all of them. */
  #beginBody(first: Frame | undefined): void {
    const plain = this.#queue ?? new FrameQueue();
    const body = new FrameQueue();
    const push = (frame: Frame) => body.push(this.#gzip?.encode(frame) ?? frame);
    if (first !== undefined) push(first);
    while (plain.length > 0) push(plain.take());
    this.#queue = body.length > 0 ? body : undefined;
  }

  /** Passes a frame to the transport. */
  #pass(frame: Frame): boolean {
    const { scheduler, limits } = this.#listener.host;
    this.lastWriteAt = scheduler.tickedAt + scheduler.resolution;
    this.#isFull = !this.#transport.write(frame, limits.fanOut);
    this.#listener.onWritten(frame);
    if (this.#events === 0 && frame.events > 0) this.meter?.firstEvent();
    this.#events += frame.events;
    this.#bytes += frame.length;
    if (this.#isFull) {
      this.meter?.full(this.bufferedBytes);
      this.#listener.onFull();
    }
    return !this.#isFull;
  }

  /** The transport has room again. */
  drained(): void {
    if (!this.#isFull) return;
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
      this.#pass(piece);
    }
    if (this.#queue !== undefined || this.#end === undefined) return;
    if (this.#gzip !== undefined && this.#end !== 'incomplete') this.#transport.write(this.#gzip.end());
    this.#gzip = undefined;
    if (this.#end !== 'incomplete') this.#transport.end(this.#end === 'complete-and-close');
    else if (this.#transport.endIncomplete) this.#transport.endIncomplete();
    else this.#transport.destroy();
  }
}
