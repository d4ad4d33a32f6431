import type { Frame } from './frame.ts';
import type { Position } from './position.ts';

/** What an application sent to a stream that was behind: each in its place, after what was published before it. */
export class Held {
  bytes = 0;
  readonly #frames: { after: Position; frame: Frame }[] = [];

  get isPending(): boolean {
    return this.#frames.length > 0;
  }

  /** The position after which the next one comes, if there is one. */
  get next(): Position | undefined {
    return this.#frames[0]?.after;
  }

  push(frame: Frame, after: Position): void {
    this.#frames.push({ after, frame });
    this.bytes += frame.length;
  }

  /** Takes out the next one, if it is that of a stream that has come to a position. */
  take(position: Position): Frame | undefined {
    const [first] = this.#frames;
    if (first === undefined || first.after > position) return undefined;
    this.#frames.shift();
    this.bytes -= first.frame.length;
    return first.frame;
  }

  /** The positions have lost their meaning: all that is held comes first. */
  release(): void {
    for (const held of this.#frames) held.after = 0;
  }

  clear(): void {
    this.#frames.length = 0;
    this.bytes = 0;
  }
}
