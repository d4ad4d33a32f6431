import { encodeComment } from './event.ts';
import { createFrame, type Frame } from './frame.ts';

/**
 * An SSE comment, in the two forms that clients need:
 *
 * - With a blank line, until the client has an id. Without it, @google/genai drops the event that follows.
 * - Without it from then on. httpx-sse and openai-python dispatch an empty event at each blank line once they have an id.
 */
export class Comment {
  /** Bytes of the longer form, which is queued. */
  readonly length: number;
  readonly #beforeId: Frame;
  #afterId: Frame | undefined;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.#beforeId = createFrame(`${encodeComment(text)}\n`);
    this.length = this.#beforeId.length;
  }

  /** @param hasId whether an id was sent before, on the same connection. */
  frame(hasId: boolean): Frame {
    if (!hasId) return this.#beforeId;
    this.#afterId ??= createFrame(encodeComment(this.#text));
    return this.#afterId;
  }
}

export const emptyComment = new Comment('');
