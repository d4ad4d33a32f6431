import { Comment } from '../protocol/comment.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { FrameQueue } from '../protocol/frame-queue.ts';

/** Changes the subscriptions of a stream that has received everything before it. Sends nothing. */
export type Action = () => void;

/**
 * Frames of the application, and actions, that wait because their stream has not caught up with the log. Each comes after
 * the entries that were published before it.
 */
export class DirectSendQueue {
  /** Bytes that are queued. */
  bytes = 0;
  /** Returns, for the position of the stream, the position up to which it may deliver. Absent: no limit. */
  hold: ((position: Position) => Position) | undefined;
  /** A comment is a run of its own: its form is known when it is written. */
  readonly #runs: { after: Position; content: FrameQueue | Comment | Action }[] = [];

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  /** The position after which the first frame or action comes; undefined if there is none. */
  get nextAfter(): Position | undefined {
    return this.#runs[0]?.after;
  }

  push(content: Frame | Comment | Action, after: Position): void {
    if (typeof content === 'function') {
      this.#runs.push({ after, content });
      return;
    }
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

  /** Takes the first frame or action, if a stream at this position has received everything before it. */
  take(position: Position): Frame | Comment | Action | undefined {
    const [first] = this.#runs;
    if (first === undefined || first.after > position) return undefined;
    const { content } = first;
    const taken = content instanceof FrameQueue ? content.take() : content;
    if (!(content instanceof FrameQueue) || content.length === 0) this.#runs.shift();
    if (typeof taken !== 'function') this.bytes -= taken.length;
    return taken;
  }

  /** Nothing waits for entries after this position. What was pushed while the head was unknown (Infinity) comes after it. */
  limit(position: Position): void {
    for (const run of this.#runs) run.after = Math.min(run.after, position);
  }

  clear(): void {
    this.#runs.length = 0;
    this.bytes = 0;
  }
}
