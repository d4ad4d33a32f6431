import type { Position } from '../protocol/event-id.ts';
import type { Frame } from '../protocol/frame.ts';
import { Backlog } from '../stream/backlog.ts';

/** What an application sent to a stream that was behind, or its end: each in its place, after what was published before. */
export class Held {
  bytes = 0;
  #end: { after: Position; done: () => void } | undefined;
  readonly #stretches: { after: Position; frames: Backlog }[] = [];

  get isPending(): boolean {
    return this.#stretches.length > 0;
  }

  /** Called when all that comes before the end has been taken. */
  get onEnd(): (() => void) | undefined {
    return this.#end?.done;
  }

  /** The position after which the next one comes, or the end, if there is one. */
  get next(): Position | undefined {
    return this.#stretches[0]?.after ?? this.#end?.after;
  }

  end(after: Position, done: () => void): void {
    this.#end = { after, done };
  }

  push(frame: Frame, after: Position): void {
    let last = this.#stretches.at(-1);
    if (last?.after !== after) {
      last = { after, frames: new Backlog() };
      this.#stretches.push(last);
    }
    last.frames.push(frame);
    this.bytes += frame.length;
  }

  /** Takes out the next one, if it is that of a stream that has come to a position. */
  take(position: Position): Frame | undefined {
    const [first] = this.#stretches;
    if (first === undefined || first.after > position) return undefined;
    const frame = first.frames.take();
    if (first.frames.length === 0) this.#stretches.shift();
    this.bytes -= frame.length;
    return frame;
  }

  /**
   * Nothing has to wait for more than this position: what was pushed when the place was not known yet (`Infinity`)
   * comes after it, and after 0, all that is held.
   */
  settle(position: Position): void {
    for (const stretch of this.#stretches) stretch.after = Math.min(stretch.after, position);
    if (this.#end !== undefined) this.#end.after = Math.min(this.#end.after, position);
  }

  clear(): void {
    this.#stretches.length = 0;
    this.bytes = 0;
  }
}
