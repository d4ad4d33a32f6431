import { encodeComment } from './event.ts';
import { createFrame, type Frame } from './frame.ts';

/**
 * An SSE comment, in the two forms that clients need:
 *
 * - With a blank line before the first id is sent: @google/genai drops the event after a comment without one.
 * - Without a blank line after that: httpx-sse and openai-python dispatch an empty event at each blank line once they
 *   have an id.
 */
export class Comment {
  /** Bytes of the longer form. Used for limits while it is not known which form will be sent. */
  readonly length: number;
  readonly #beforeId: Frame;
  #afterId: Frame | undefined;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.#beforeId = createFrame(`${encodeComment(text)}\n`);
    this.length = this.#beforeId.length;
  }

  /** @param hasId whether an id was already sent on this connection. */
  frame(hasId: boolean): Frame {
    if (!hasId) return this.#beforeId;
    this.#afterId ??= createFrame(encodeComment(this.#text));
    return this.#afterId;
  }
}

export const emptyComment = new Comment('');
