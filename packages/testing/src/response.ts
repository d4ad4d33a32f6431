import type { TestRequest } from './request.ts';

/** The response to one request. */
export interface TestResponse {
  readonly status: number;
  readonly headers: Headers;
  /** Reads the body to its end. Call it once. Resolves with whether the response ended properly. Never rejects. */
  read(onChunk: (bytes: Uint8Array) => void): Promise<boolean>;
  /** Stops reading until `resume`, so that the buffers fill. */
  pause(): void;
  resume(): void;
  /** Aborts the connection. */
  abort(): void;
}

/** The server to which requests are sent. */
export interface Host {
  /** @param signal aborts the request while there is no response. */
  send(request: TestRequest, signal: AbortSignal): Promise<TestResponse>;
  close(): Promise<void>;
}
