import type { Received } from './received.ts';
import { SHOWN, soFar } from './received-event.ts';
import type { TestResponse } from './response.ts';

/** One response, while it is read and after. */
export class Connection {
  readonly #response: TestResponse;
  readonly #received: Received;
  readonly #onChange: () => void;
  /** The beginning of a response that is no stream. */
  #body = '';
  #end: 'complete' | 'cut' | 'left' | undefined;
  #isStalled = false;

  /**
   * @param received takes what the stream says.
   * @param onChange called when something has come, and when it has ended.
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
      // It may have been left with this on its way.
      if (this.#end !== undefined) return;
      const text = decoder.decode(bytes, { stream: true });
      if (isStream) parser.feed(lineBreaks.normalise(text));
      else if (this.#body.length < SHOWN) this.#body += text;
      onChange();
    });
    read.then(isComplete => {
      this.#end ??= isComplete ? 'complete' : 'cut';
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

  /** How it ended: undefined while it has not. */
  get end(): 'complete' | 'cut' | 'left' | undefined {
    return this.#end;
  }

  /** No event is going to come: it has ended, or is no stream, of which there is enough to be shown. */
  get isHopeless(): boolean {
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

  leave(): void {
    if (this.#end !== undefined) return;
    this.#end = 'left';
    this.#response.abort();
    this.#onChange();
  }

  /** Why it has not ended, for an error. */
  whyOpen(limit: string): string {
    return `the stream did not end within ${limit}${this.#stalled}; ${soFar(this.#received.events)}`;
  }

  /** Why there is no event in it, for an error. */
  whyNone(wanted: string, limit: string): string {
    const before = soFar(this.#received.events);
    if (this.#end === 'left')
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
 * Rewrites the line breaks of a stream (CR, CRLF or LF) as LF, chunk by chunk. eventsource-parser waits for the next chunk
 * after a CR, since an LF may follow: an event whose last line break is a CR would not be seen when it is complete.
 */
class LineBreaks {
  #endedWithCR = false;

  normalise(chunk: string): string {
    if (chunk === '') return chunk;
    // The second half of a CRLF, whose first half has ended the line.
    const text = this.#endedWithCR && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#endedWithCR = chunk.endsWith('\r');
    return text.replace(/\r\n?/g, '\n');
  }
}
