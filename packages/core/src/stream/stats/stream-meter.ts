/**
 * The totals of one stream. Times, `maxBufferedBytes` and `lagged` begin when the stream opens, or at the call of
 * `hub.observe()` if that is later; `events` and `bytes` are always complete.
 */
export interface StreamSummary {
  /** ms until the response was over. */
  readonly duration: number;
  /** ms until the response headers were sent. Undefined: they were not sent. */
  readonly headersAfter: number | undefined;
  /** ms until the first event was passed to the transport. Undefined: there was no event. */
  readonly firstEventAfter: number | undefined;
  /** Events that were passed to the transport, including `reset` events, without markers and comments. */
  readonly events: number;
  /** Bytes that were passed to the transport, without framing. */
  readonly bytes: number;
  /** Maximum number of bytes that were buffered in this process while the stream was a slow consumer. */
  readonly maxBufferedBytes: number;
  /** How often the stream became a slow consumer. */
  readonly lagged: number;
}

/** Measures one stream. Only the streams of a hub with an observer have a meter. */
export class StreamMeter {
  readonly #openedAt = performance.now();
  readonly #onHeaders: (status: number, ms: number) => void;
  #headersAfter: number | undefined;
  #firstEventAfter: number | undefined;
  #maxBufferedBytes = 0;
  #lagged = 0;

  /** @param onHeaders called when the headers were sent, with the status and the ms since the stream was opened. */
  constructor(onHeaders: (status: number, ms: number) => void) {
    this.#onHeaders = onHeaders;
  }

  headersSent(status: number): void {
    this.#headersAfter = this.#elapsed;
    this.#onHeaders(status, this.#headersAfter);
  }

  /** Called when the first event was passed to the transport. */
  firstEvent(): void {
    this.#firstEventAfter = this.#elapsed;
  }

  /** Records the number of buffered bytes. */
  buffered(bytes: number): void {
    this.#maxBufferedBytes = Math.max(this.#maxBufferedBytes, bytes);
  }

  /** Called when the stream becomes a slow consumer. */
  full(bytes: number): void {
    this.#lagged += 1;
    this.buffered(bytes);
  }

  get #elapsed(): number {
    return performance.now() - this.#openedAt;
  }

  /** @param events events and bytes that were passed to the transport, in total. */
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
