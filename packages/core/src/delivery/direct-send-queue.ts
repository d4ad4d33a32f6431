import { Comment } from '../protocol/comment.ts';
import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { FrameQueue } from '../protocol/frame-queue.ts';

/** What a stream does at a place in its order, and sends nothing: it changes its subscriptions. */
export type Action = () => void;

/**
 * What has a place in the order of a stream that was not at the head of the log, after the entries that were published
 * before it: frames that the application sent, and actions.
 */
export class DirectSendQueue {
  /** Bytes that are queued. */
  bytes = 0;
  /** The position up to which a stream may deliver now, by its own. Absent: no limit. */
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
