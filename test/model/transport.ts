import type { Frame, Transport, TransportListener } from '@tidings/core';
import { Decoder } from './decoder.ts';
import type { Checkpoint, Written } from './wire.ts';

/** Bytes of one write, about: a piece may be longer by its last event. */
const PIECE = 64 * 1024;
/** Bytes that an event of the model has at most, unless it is sent in pieces. */
const LARGEST_EVENT = 16 * 1024;

/** What the owner of a {@link VirtualTransport} is told. */
export interface Peer {
  /** The status is sent. */
  open(status: number): void;
  /** Something is written. */
  write(frame: Frame): Written;
  /** The client has received an id. */
  receive(id: string): void;
  /** The response has been ended: nothing more is written. */
  end(): void;
  /** The client has read the response to its end. */
  finish(): void;
  fail(error: string): void;
}

/** A response whose client reads, or does not, as the test wants it. */
export class VirtualTransport implements Transport {
  listener: TransportListener | undefined;
  bufferedBytes = 0;
  /** Nothing can come any more. */
  isOver = false;
  isReading = true;
  /** Called by the next write, which is in the middle of whatever the hub does. */
  onNextWrite: (() => void) | undefined;
  readonly #peer: Peer;
  /** Bytes that are taken before the transport says that it is full. */
  readonly #highWaterMark: number;
  #isOpen = false;
  #isFull = false;
  #hasEnded = false;
  #queue: Written[] = [];
  /** Characters of the first of the queue that have been read. */
  #taken = 0;
  /** Of a compressed response. */
  #decoder: Decoder | undefined;

  constructor(peer: Peer, highWaterMark: number) {
    this.#peer = peer;
    this.#highWaterMark = highWaterMark;
  }

  get headersSent(): boolean {
    return this.#isOpen;
  }

  open(status: number, headers: Record<string, string>): void {
    if (headers['content-encoding'] === 'gzip') this.#decoder = new Decoder();
    if (this.#isOpen) this.#peer.fail('the headers are sent twice');
    this.#isOpen = true;
    if (!this.isOver) this.#peer.open(status);
  }

  write(encoded: Frame): boolean {
    if (!this.#isOpen) this.#peer.fail('a write before the headers');
    if (this.#hasEnded) this.#peer.fail('a write after the end');
    if (this.isOver || this.#hasEnded) return true;
    const frame = this.#decode(encoded);
    // The trailer of a compressed response.
    if (frame.length === 0) return true;
    if (frame.length > PIECE + LARGEST_EVENT) this.#peer.fail(`${frame.length} bytes in one write`);
    this.bufferedBytes += frame.length;
    this.#queue.push(this.#peer.write(frame));
    const { onNextWrite } = this;
    this.onNextWrite = undefined;
    onNextWrite?.();
    if (this.isReading) this.#deliver();
    this.#isFull = !this.isReading && this.bufferedBytes > this.#highWaterMark;
    return !this.#isFull;
  }

  read(): void {
    if (this.isOver || this.isReading) return;
    this.isReading = true;
    this.#deliver();
    this.#drain();
  }

  /** Reads half of a write, or what is left of it, and no more. */
  sip(): void {
    const [next] = this.#queue;
    if (this.isReading || next === undefined) return;
    const { length } = next.text;
    const upTo = this.#taken === 0 ? Math.ceil(length / 2) : length;
    this.#receive(next.checkpoints, this.#taken, upTo);
    this.bufferedBytes -= upTo - this.#taken;
    this.#taken = upTo;
    if (upTo === length) {
      this.#queue.shift();
      this.#taken = 0;
    }
    if (this.#queue.length > 0) return;
    this.bufferedBytes = 0;
    if (this.#hasEnded) this.#finish();
    else this.#drain();
  }

  end(): void {
    if (!this.#hasEnded && !this.isOver) {
      this.#checkEnd();
      this.#peer.end();
    }
    this.#hasEnded = true;
    if (this.#queue.length === 0) this.#finish();
  }

  /** The connection breaks, too: what was on its way is lost. */
  destroy(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#queue = [];
    this.bufferedBytes = 0;
    this.listener?.closed();
  }

  #decode(frame: Frame): Frame {
    try {
      return this.#decoder?.read(frame) ?? frame;
    } catch (error) {
      this.#peer.fail(`a body that cannot be decoded: ${error}`);
      return frame;
    }
  }

  #checkEnd(): void {
    try {
      this.#decoder?.end();
    } catch (error) {
      this.#peer.fail(`a body that is not complete: ${error}`);
    }
  }

  #deliver(): void {
    for (const { text, checkpoints } of this.#queue.splice(0)) {
      this.#receive(checkpoints, this.#taken, text.length);
      this.#taken = 0;
    }
    this.bufferedBytes = 0;
    if (this.#hasEnded) this.#finish();
  }

  #receive(checkpoints: readonly Checkpoint[], after: number, upTo: number): void {
    for (const [end, id] of checkpoints) if (end > after && end <= upTo) this.#peer.receive(id);
  }

  #drain(): void {
    if (this.isOver || !this.#isFull) return;
    this.#isFull = false;
    this.listener?.drained();
  }

  #finish(): void {
    if (!this.isOver) this.#peer.finish();
    this.destroy();
  }
}
