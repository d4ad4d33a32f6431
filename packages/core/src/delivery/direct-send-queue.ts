import { Comment } from '../protocol/comment.ts';
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
  /** A comment is a run of its own: its form is known when it is written. */
  readonly #runs: { after: Position; content: FrameQueue | Comment }[] = [];

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** The position after which the first frame comes; undefined if there is none. */
  get nextAfter(): Position | undefined {
    return this.#runs[0]?.after;
  }

  push(content: Frame | Comment, after: Position): void {
    this.bytes += content.length;
    if (content instanceof Comment) {
      this.#runs.push({ after, content });
      return;
    }
    const last = this.#runs.at(-1);
    let frames = last?.after === after ? last.content : undefined;
    if (!(frames instanceof FrameQueue)) {
      frames = new FrameQueue();
      this.#runs.push({ after, content: frames });
    }
    frames.push(content);
  }

  /** Takes the first frame, if a stream at this position has received everything before it. */
  take(position: Position): Frame | Comment | undefined {
    const [first] = this.#runs;
    if (first === undefined || first.after > position) return undefined;
    const { content } = first;
    const taken = content instanceof Comment ? content : content.take();
    if (content instanceof Comment || content.length === 0) this.#runs.shift();
    this.bytes -= taken.length;
    return taken;
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
