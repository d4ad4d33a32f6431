import type { Frame } from '../src/protocol/frame.ts';
import type { Transport } from '../src/stream/transport.ts';

/** A peer that takes everything at once, until it is told not to. */
export class MemoryTransport implements Transport {
  onDrain: (() => void) | undefined;
  onClose: (() => void) | undefined;
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
    this.onClose?.();
  }

  endIncomplete(): void {
    this.ending = 'incomplete';
    this.onClose?.();
  }

  destroy(): void {
    this.ending = 'aborted';
    this.onClose?.();
  }

  /** The peer goes on reading. */
  drain(): void {
    this.isFull = false;
    this.bufferedBytes = 0;
    this.onDrain?.();
  }

  /** The peer goes away. */
  leave(): void {
    this.onClose?.();
  }
}
