import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { FrameQueue } from '../protocol/frame-queue.ts';

/**
 * What the application sent to a stream that was not at the head of the log: each frame has its place, after the entries
 * that were published before it.
 */
export class DirectSendQueue {
  /** Bytes that are queued. */
  bytes = 0;
  readonly #runs: { after: Position; frames: FrameQueue }[] = [];

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** The position after which the first frame comes; undefined if there is none. */
  get nextAfter(): Position | undefined {
    return this.#runs[0]?.after;
  }

  push(frame: Frame, after: Position): void {
    let last = this.#runs.at(-1);
    if (last?.after !== after) {
      last = { after, frames: new FrameQueue() };
      this.#runs.push(last);
    }
    last.frames.push(frame);
    this.bytes += frame.length;
  }

  /** Takes the first frame, if a stream at this position has received everything before it. */
  take(position: Position): Frame | undefined {
    const [first] = this.#runs;
    if (first === undefined || first.after > position) return undefined;
    const frame = first.frames.take();
    if (first.frames.length === 0) this.#runs.shift();
    this.bytes -= frame.length;
    return frame;
  }

  /** No frame waits for entries after this position. Frames pushed while the head was unknown (Infinity) come after it. */
  limit(position: Position): void {
    for (const run of this.#runs) run.after = Math.min(run.after, position);
  }

  clear(): void {
    this.#runs.length = 0;
    this.bytes = 0;
  }
}
