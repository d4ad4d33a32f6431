import type { Question } from './question.ts';

/** The response to one request. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Reads it to its end; called once. Resolves to whether that was the proper end, and never rejects. */
  read(onChunk: (bytes: Uint8Array) => void): Promise<boolean>;
  /** Takes nothing more until `resume`, so that what is sent piles up. */
  pause(): void;
  resume(): void;
  /** Leaves. */
  cut(): void;
}

/** Where requests go. */
export interface Host {
  /** @param signal gives the request up, for as long as there is no answer. */
  ask(question: Question, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}
