import type { TestRequest } from './request.ts';

/** The response to one request. */
export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Reads it to its end; called once. Resolves to whether that was the proper end, and never rejects. */
  read(onChunk: (bytes: Uint8Array) => void): Promise<boolean>;
  /** Takes nothing more until `resume`, so that what is sent piles up. */
  pause(): void;
  resume(): void;
  /** Leaves. */
  abort(): void;
}

/** Where requests go. */
export interface Host {
  /** @param signal gives the request up, for as long as there is no answer. */
  send(request: TestRequest, signal: AbortSignal): Promise<TestResponse>;
  close(): Promise<void>;
}
