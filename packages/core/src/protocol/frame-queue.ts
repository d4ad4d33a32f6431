import { type Frame, joinFrames, sliceFrame } from './frame.ts';

/** Maximum bytes of one write. Progress is measured, and memory is freed, one write at a time. */
const PIECE = 64 * 1024;
/** This many small frames are joined into one, because the object of a small frame is larger than its bytes. */
const JOIN = 64;
const SMALL = PIECE / JOIN;

/** Frames that are queued for one client, in order. */
export class FrameQueue {
  /** Bytes that are queued. */
  length = 0;
  readonly #frames: Frame[] = [];
  /** Bytes of the first frame that have been taken. */
  #taken = 0;
  /** Number of small frames at the end that are not joined yet. */
  #small = 0;

  push(frame: Frame): void {
    this.#frames.push(frame);
    this.length += frame.length;
    this.#small = frame.length <= SMALL ? this.#small + 1 : 0;
    if (this.#small === JOIN) {
      this.#frames.push(joinFrames(this.#frames.splice(-JOIN)));
      this.#small = 0;
    }
  }

  /** Takes the next piece: a frame, or a part of a large one. The queue must not be empty. */
  take(): Frame {
    const frame = this.#frames[0] as Frame;
    const start = this.#taken;
    const end = Math.min(frame.length, start + PIECE);
    this.length -= end - start;
    if (end < frame.length) {
      this.#taken = end;
    } else {
      this.#frames.shift();
      this.#taken = 0;
      this.#small = Math.min(this.#small, this.#frames.length);
    }
    return start === 0 && end === frame.length ? frame : sliceFrame(frame, start, end);
  }
}

/** Whether a frame is sent in pieces. */
export function isLarge(frame: Frame): boolean {
  return frame.length > PIECE;
}
