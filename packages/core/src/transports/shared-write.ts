import type { Socket } from 'node:net';
import type { FanOut, FanOutTarget } from '../delivery/fan-out.ts';
import type { Frame } from '../protocol/frame.ts';
import { descriptorOf } from './bare-socket.ts';

/** The transport of a response. */
interface SharedWriter {
  /** The socket, if a chunk may be written straight to it. */
  socketPastResponse(): Socket | undefined;
  write(frame: Frame): boolean;
  /** Writes what is left of a frame of which so many bytes of its chunk were sent. */
  writeRest(frame: Frame, sent: number): void;
}

/** A frame of one response that waits to be sent together with those of other responses when the delivery loop pauses. */
export class SharedWrite implements FanOutTarget {
  readonly #transport: SharedWriter;
  #frame: Frame | undefined;
  #batch = 0;

  constructor(transport: SharedWriter) {
    this.#transport = transport;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#frame?.chunk.length ?? 0;
  }

  /** Returns false if the frame has to be written in the ordinary way: only the first one of a batch can wait. */
  add(frame: Frame, fanOut: FanOut): boolean {
    if (this.#batch === fanOut.batch) return false;
    this.#batch = fanOut.batch;
    this.#frame = frame;
    fanOut.add(this, frame.chunk);
    return true;
  }

  descriptorFor(chunk: Uint8Array): number {
    if (this.#frame?.chunk !== chunk) return -1;
    const socket = this.#transport.socketPastResponse();
    return socket === undefined ? -1 : descriptorOf(socket);
  }

  sent(chunk: Uint8Array, bytes: number): void {
    const frame = this.#frame;
    if (frame?.chunk !== chunk) return;
    this.#frame = undefined;
    if (bytes < chunk.length) this.#transport.writeRest(frame, bytes);
  }

  /** Writes what waits, because something else follows. */
  writeNow(): void {
    const frame = this.#frame;
    if (frame === undefined) return;
    this.#frame = undefined;
    this.#transport.write(frame);
  }

  drop(): void {
    this.#frame = undefined;
  }
}
