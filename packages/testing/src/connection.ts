import type { Received } from './received.ts';
import { SHOWN, soFar } from './received-event.ts';
import type { TestResponse } from './response.ts';

/**
 * How a response ended. `complete`: properly. `aborted`: the connection was aborted. `disconnected`: the client
 * disconnected.
 */
type End = 'complete' | 'aborted' | 'disconnected';

/** One response, while it is read and after its end. */
export class Connection {
  readonly #response: TestResponse;
  readonly #received: Received;
  readonly #onChange: () => void;
  /** The beginning of the body, if the response is not an event stream. */
  #body = '';
  #end: End | undefined;
  #isStalled = false;

  /**
   * @param received stores the events of the stream.
   * @param onChange called when bytes have arrived, and when the response has ended.
   */
  constructor(response: TestResponse, received: Received, onChange: () => void) {
    this.#response = response;
    this.#received = received;
    this.#onChange = onChange;
    const decoder = new TextDecoder();
    const parser = received.parser();
    const lineBreaks = new LineBreaks();
    const { isStream } = this;
    const read = response.read(bytes => {
      // Bytes may still arrive after `disconnect()`.
      if (this.#end !== undefined) return;
      const text = decoder.decode(bytes, { stream: true });
      if (isStream) parser.feed(lineBreaks.normalise(text));
      else if (this.#body.length < SHOWN) this.#body += text;
      onChange();
    });
    read.then(isComplete => {
      this.#end ??= isComplete ? 'complete' : 'aborted';
      onChange();
    });
  }

  get status(): number {
    return this.#response.status;
  }

  get headers(): Headers {
    return this.#response.headers;
  }

  get isStream(): boolean {
    const type = this.headers.get('content-type') ?? '';
    return this.status === 200 && /^text\/event-stream *(;|$)/i.test(type);
  }

  /** How the response ended. Undefined: it has not ended. */
  get end(): End | undefined {
    return this.#end;
  }

  /**
   * No more events follow: the response has ended; or it is not a stream, and enough of its body for an error was read.
   */
  get isExhausted(): boolean {
    return this.#end !== undefined || this.#body.length >= SHOWN;
  }

  stall(): void {
    this.#isStalled = true;
    this.#response.pause();
  }

  resume(): void {
    this.#isStalled = false;
    this.#response.resume();
  }

  disconnect(): void {
    if (this.#end !== undefined) return;
    this.#end = 'disconnected';
    this.#response.abort();
    this.#onChange();
  }

  /** The message of the error that the response has not ended. */
  whyOpen(limit: string): string {
    return `the stream did not end within ${limit}${this.#stalled}; ${soFar(this.#received.events)}`;
  }

  /** The message of the error that there is no such event. */
  whyNone(wanted: string, limit: string): string {
    const before = soFar(this.#received.events);
    if (this.#end === 'disconnected')
      return `the client was disconnected before the ${wanted}: call reconnect(); ${before}`;
    if (this.status === 204) {
      return `the stream ended (status 204) before the ${wanted}; ${before}`;
    }
    if (!this.isStream) {
      const type = this.headers.get('content-type') ?? 'without a content-type';
      const begin = JSON.stringify(this.#body.slice(0, SHOWN));
      return `the response is not an event stream: ${this.status} ${type}, its body begins ${begin}`;
    }
    if (this.#end === undefined) return `no ${wanted} within ${limit}${this.#stalled}; ${before}`;
    const how = this.#end === 'complete' ? 'the stream ended' : 'the connection was aborted';
    return `${how} before the ${wanted}; ${before}`;
  }

  get #stalled(): string {
    return this.#isStalled ? ' (the client is stalled)' : '';
  }
}

/**
 * Replaces the line breaks of a stream (CR, CRLF or LF) by LF, chunk by chunk. After a CR, eventsource-parser waits for
 * the next chunk, because an LF may follow. So it would return an event that ends in a CR too late.
 */
class LineBreaks {
  #endedWithCR = false;

  normalise(chunk: string): string {
    if (chunk === '') return chunk;
    // The LF of a CRLF whose CR was the end of the previous chunk.
    const text = this.#endedWithCR && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#endedWithCR = chunk.endsWith('\r');
    return text.replace(/\r\n?/g, '\n');
  }
}
