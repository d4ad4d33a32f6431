import type { Scheduler } from '../base/scheduler.ts';
import type { Meter } from '../hub/stats.ts';
import type { Frame } from '../protocol/frame.ts';
import { Backlog, isLarge } from './backlog.ts';
import type { Transport } from './transport.ts';

/** What a writer needs of its stream. */
export interface WriterHost {
  readonly scheduler: Scheduler;
  readonly meter: Meter;
  /** There is room again after there was none. */
  onRoom(): void;
  /** The peer does not keep up. */
  onFull(): void;
}

/** Writes one response through its transport, and queues what the peer is not ready for. */
export class Writer {
  /** The clock's time of the last write, or later. */
  lastWriteAt: number;
  readonly #transport: Transport;
  readonly #host: WriterHost;
  #backlog: Backlog | undefined;
  #opened = false;
  /** The transport has said it is full. */
  #full = false;
  /** To end when everything has been handed over: `hangUp`, as soon as it is decided. */
  #end: boolean | undefined;
  /** Bytes that were in the transport at the last look, and when they were last seen to move. */
  #waiting = 0;
  #movedAt: number;

  constructor(transport: Transport, host: WriterHost) {
    this.#transport = transport;
    this.#host = host;
    this.lastWriteAt = host.scheduler.now;
    this.#movedAt = host.scheduler.now;
  }

  /** Whether the next write goes straight to the transport. */
  get hasRoom(): boolean {
    return this.#opened && !this.#full && this.#backlog === undefined;
  }

  /** The end is on its way, behind what was written before. */
  get isEnding(): boolean {
    return this.#end !== undefined;
  }

  /** Something else has answered. */
  get wasRefused(): boolean {
    return this.#transport.refused === true;
  }

  get bufferedBytes(): number {
    return (this.#backlog?.length ?? 0) + this.#transport.bufferedBytes;
  }

  /** Sends the head, then `first`, then what was written before. Throws what the transport throws. */
  open(status: number, headers: Record<string, string>, first?: Frame): void {
    this.#transport.open(status, headers, this.#end);
    this.#opened = true;
    if (first !== undefined) this.#hand(first);
    this.#flush();
    if (this.hasRoom) this.#host.onRoom();
  }

  /** Writes or queues a frame. Returns whether there is room for another. */
  write(frame: Frame): boolean {
    if (this.isEnding) return false;
    if (this.hasRoom && !isLarge(frame)) return this.#hand(frame);
    this.#backlog ??= new Backlog();
    this.#backlog.push(frame);
    this.#flush();
    return this.hasRoom;
  }

  /** Drops what is queued; what the transport has, stays with it. */
  drop(): void {
    this.#backlog = undefined;
  }

  /** Ends the response after what was written; again, for the connection to end with it after all. */
  end(hangUp: boolean): void {
    this.#end = hangUp || this.#end === true;
    this.#flush();
  }

  destroy(): void {
    this.drop();
    this.#transport.destroy();
  }

  /** Who has taken everything has room, and need not have said so: a reader of Fetch says so when it asks for more. */
  look(): void {
    if (this.#full && this.#transport.bufferedBytes === 0) this.#drained();
  }

  /** For how many ms bytes have been on their way without moving. An end, too, has to reach the peer. */
  stalledFor(now: number): number {
    // What is written in between, framing and all, only adds to this; so if there is less, some has gone.
    const { bufferedBytes } = this.#transport;
    const waits = this.#full || bufferedBytes > 0 || this.isEnding;
    if (!waits || bufferedBytes < this.#waiting) this.#movedAt = now;
    this.#waiting = bufferedBytes;
    return now - this.#movedAt;
  }

  #hand(frame: Frame): boolean {
    this.lastWriteAt = this.#host.scheduler.now + this.#host.scheduler.resolution;
    this.#full = !this.#transport.write(frame);
    this.#host.meter.eventsDelivered(frame.events, frame.length);
    if (this.#full) {
      // Most peers keep up, and a listener for each would take as much memory as the rest of this.
      this.#transport.onDrain ??= () => this.#drained();
      this.#host.onFull();
    }
    return !this.#full;
  }

  #drained(): void {
    this.#full = false;
    this.#movedAt = this.#host.scheduler.now;
    this.#flush();
    if (this.hasRoom) this.#host.onRoom();
  }

  #flush(): void {
    if (!this.#opened) return;
    while (this.#backlog !== undefined && !this.#full) {
      const piece = this.#backlog.take();
      if (this.#backlog.length === 0) this.#backlog = undefined;
      this.#hand(piece);
    }
    if (this.#backlog !== undefined || this.#end === undefined) return;
    this.#transport.end(this.#end);
  }
}
