import type { Frame, Transport } from '@tidings/core';

/** Bytes of one write, about: a piece may be longer by its last event. */
const PIECE = 64 * 1024;
/** Bytes that an event of the model has at most. */
export const LARGEST_EVENT = 16 * 1024;

/** What the owner of a {@link VirtualTransport} is told. */
export interface Peer {
  /** How much has been published by now. */
  published(): number;
  /** @param published how much had been when it was written. */
  receive(text: string, published: number): void;
  /** The answer is 204. */
  stop(): void;
  /** The response has ended, and everything has been read. */
  end(): void;
  /** Something is written. */
  work(): void;
  fail(error: string): void;
}

/** A response whose peer reads, or does not, as the test wants it. */
export class VirtualTransport implements Transport {
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
  bufferedBytes = 0;
  hasBegun = false;
  /** Nothing can come any more. */
  isOver = false;
  isReading = true;
  /** Done by the next write, which is in the middle of whatever the hub does. */
  onNextWrite: (() => void) | undefined;
  readonly #peer: Peer;
  #hasEnded = false;
  #queue: [text: string, published: number][] = [];
  /** Half of what is first has been read. */
  #isHalved = false;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  open(status: number): void {
    this.hasBegun = true;
    if (status === 204) this.#peer.stop();
  }

  write(frame: Frame): boolean {
    if (this.#hasEnded) this.#peer.fail('a write after the end');
    if (this.isOver || this.#hasEnded) return true;
    if (frame.length > PIECE + LARGEST_EVENT) this.#peer.fail(`${frame.length} bytes in one write`);
    this.#queue.push([Buffer.from(frame.bytes).toString(), this.#peer.published()]);
    this.bufferedBytes += frame.length;
    this.#peer.work();
    const { onNextWrite } = this;
    this.onNextWrite = undefined;
    onNextWrite?.();
    if (this.isReading) this.#deliver();
    return this.isReading;
  }

  read(): void {
    // To one that reads already, nothing happens that a hub could notice.
    if (this.isOver || this.isReading) return;
    this.isReading = true;
    this.#deliver();
    if (!this.isOver) this.onDrain?.();
  }

  /** Reads half of a write, or what is left of it, and no more. */
  sip(): void {
    const next = this.isReading ? undefined : this.#queue.shift();
    if (next === undefined) return;
    const [text, published] = next;
    const size = this.#isHalved ? text.length : Math.ceil(text.length / 2);
    this.#isHalved = size < text.length;
    if (this.#isHalved) this.#queue.unshift([text.slice(size), published]);
    this.bufferedBytes -= size;
    this.#peer.receive(text.slice(0, size), published);
    if (this.#queue.length > 0) return;
    if (this.#hasEnded) this.#finish();
    else this.onDrain?.();
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#queue.length === 0) this.#finish();
  }

  /** The connection breaks, too: what was on its way is lost. */
  destroy(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#queue = [];
    this.onClose?.();
  }

  #deliver(): void {
    this.#isHalved = false;
    for (const next of this.#queue.splice(0)) this.#peer.receive(...next);
    this.bufferedBytes = 0;
    if (this.#hasEnded) this.#finish();
  }

  #finish(): void {
    if (!this.isOver) this.#peer.end();
    this.destroy();
  }
}
