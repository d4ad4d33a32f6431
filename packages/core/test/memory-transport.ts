import type { Frame } from '../src/protocol/frame.ts';
import type { Transport, TransportListener } from '../src/stream/transport.ts';

/** A peer that takes everything at once, until it is told not to. */
export class MemoryTransport implements Transport {
  listener: TransportListener | undefined;
  bufferedBytes = 0;
  text = '';
  isFull = false;
  /** Of the answer, if there is one. */
  status: number | undefined;
  /** How the response has ended. */
  ending: 'complete' | 'incomplete' | 'aborted' | undefined;

  open(status?: number): void {
    this.status = status;
  }

  write(frame: Frame): boolean {
    this.text += Buffer.from(frame.bytes).toString();
    if (this.isFull) this.bufferedBytes += frame.length;
    return !this.isFull;
  }

  end(): void {
    this.ending = 'complete';
    this.listener?.closed();
  }

  endIncomplete(): void {
    this.ending = 'incomplete';
    this.listener?.closed();
  }

  destroy(): void {
    this.ending = 'aborted';
    this.listener?.closed();
  }

  /** The peer goes on reading. */
  drain(): void {
    this.isFull = false;
    this.bufferedBytes = 0;
    this.listener?.drained();
  }

  /** The peer goes away. */
  leave(): void {
    this.listener?.closed();
  }
}
