/**
 * What one stream has done. Times, `maxBufferedBytes` and `lagged` are from its opening on, or from `hub.observe()` if that
 * was later; `events` and `bytes` are always complete.
 */
export interface StreamSummary {
  /** ms until the response was over. */
  readonly duration: number;
  /** ms until the response headers were sent. Undefined: they were not. */
  readonly headersAfter: number | undefined;
  /** ms until the first event was handed to the transport. Undefined: there was none. */
  readonly firstEventAfter: number | undefined;
  /** Events that were handed to the transport, `reset` events included, markers and comments not. */
  readonly events: number;
  /** Bytes that were handed to the transport, framing not counted. */
  readonly bytes: number;
  /** The most bytes that were buffered in this process while the client did not keep up. */
  readonly maxBufferedBytes: number;
  /** How often the client did not keep up. */
  readonly lagged: number;
}

/** Measures one stream. Only streams of a hub with an observer have one. */
export class StreamMeter {
  readonly #openedAt = performance.now();
  readonly #onHeaders: (status: number, ms: number) => void;
  #headersAfter: number | undefined;
  #firstEventAfter: number | undefined;
  #maxBufferedBytes = 0;
  #lagged = 0;

  /** @param onHeaders called when the headers were sent, with the status and the ms that it took. */
  constructor(onHeaders: (status: number, ms: number) => void) {
    this.#onHeaders = onHeaders;
  }

  headersSent(status: number): void {
    this.#headersAfter = this.#elapsed;
    this.#onHeaders(status, this.#headersAfter);
  }

  /** The first event was handed to the transport. */
  firstEvent(): void {
    this.#firstEventAfter = this.#elapsed;
  }

  /** So many bytes are buffered. */
  buffered(bytes: number): void {
    this.#maxBufferedBytes = Math.max(this.#maxBufferedBytes, bytes);
  }

  /** The client does not keep up. */
  full(bytes: number): void {
    this.#lagged += 1;
    this.buffered(bytes);
  }

  get #elapsed(): number {
    return performance.now() - this.#openedAt;
  }

  /** Adds what was handed to the transport. */
  sumUp(events: number, bytes: number): StreamSummary {
    return {
      duration: this.#elapsed,
      headersAfter: this.#headersAfter,
      firstEventAfter: this.#firstEventAfter,
      events,
      bytes,
      maxBufferedBytes: this.#maxBufferedBytes,
      lagged: this.#lagged,
    };
  }
}
