import type { Frame } from '../protocol/frame.ts';
import type { EventStream } from '../stream/event-stream.ts';
import type { Transport } from '../stream/transport.ts';
import { headersSent, type NodeTransport } from './node-transport.ts';

/**
 * Called once, when a stream is about to send its headers. The stream waits for the promise, if there is one; meanwhile
 * something else may set headers, or send the response.
 */
export type BeforeHeaders = (status: number, headers: Record<string, string>) => Promise<void> | undefined;

/** A response that has not begun. */
interface QueuedResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly frames: Frame[];
  bytes: number;
  /** How the response ends after the frames. */
  end: 'complete' | 'incomplete' | undefined;
  hangUp: boolean;
}

/** Bytes that are queued before `write` returns false. */
const HIGH_WATER_MARK = 64 * 1024;

/**
 * A response of Node.js that begins when its framework has settled the headers.
 *
 * ```
 * pending ──open──▶ queued ──settled──▶ begun
 *    └──release───────┴──▶ released, or sent by something else
 * ```
 */
export class DeferredTransport implements Transport {
  /** The stream that writes to it. */
  stream: EventStream | undefined;
  onFail: ((error: unknown) => void) | undefined;
  readonly #inner: NodeTransport;
  #beforeHeaders: BeforeHeaders | undefined;
  #queued: QueuedResponse | undefined;

  constructor(inner: NodeTransport, beforeHeaders: BeforeHeaders) {
    this.#inner = inner;
    this.#beforeHeaders = beforeHeaders;
  }

  get onDrain(): (() => void) | undefined {
    return this.#inner.onDrain;
  }

  set onDrain(listener) {
    this.#inner.onDrain = listener;
  }

  get onClose(): (() => void) | undefined {
    return this.#inner.onClose;
  }

  set onClose(listener) {
    this.#inner.onClose = listener;
  }

  get closed(): boolean {
    return this.#inner.closed;
  }

  get refused(): boolean {
    return this.#inner.refused;
  }

  get bufferedBytes(): number {
    return (this.#queued?.bytes ?? 0) + this.#inner.bufferedBytes;
  }

  open(status: number, headers: Record<string, string>, hangUp = false): void {
    this.#inner.checkUnsent();
    if (this.closed) return;
    const settled = this.#beforeHeaders?.(status, headers);
    this.#beforeHeaders = undefined;
    if (settled === undefined) {
      this.#inner.open(status, headers, hangUp);
      return;
    }
    this.#queued = { status, headers, frames: [], bytes: 0, end: undefined, hangUp };
    settled.then(
      () => this.#begin(),
      error => this.#fail(error),
    );
  }

  write(frame: Frame): boolean {
    const queued = this.#queued;
    if (queued === undefined) return this.#inner.write(frame);
    queued.frames.push(frame);
    queued.bytes += frame.length;
    return queued.bytes < HIGH_WATER_MARK;
  }

  end(hangUp = false): void {
    const queued = this.#queued;
    if (queued === undefined) {
      this.#inner.end(hangUp);
      return;
    }
    queued.hangUp ||= hangUp;
    queued.end ??= 'complete';
  }

  endIncomplete(): void {
    if (this.#queued === undefined) this.#inner.endIncomplete();
    else this.#queued.end = 'incomplete';
  }

  destroy(): void {
    this.#queued = undefined;
    this.#inner.destroy();
  }

  release(): void {
    this.#inner.release();
    if (this.#queued !== undefined) this.#fail(headersSent());
  }

  disconnected(): void {
    this.#queued = undefined;
    this.#inner.disconnected();
  }

  #begin(): void {
    const queued = this.#queued;
    if (queued === undefined) return;
    this.#queued = undefined;
    try {
      this.#inner.open(queued.status, queued.headers, queued.hangUp);
    } catch (error) {
      this.#fail(error);
      return;
    }
    let hasRoom = true;
    for (const frame of queued.frames) hasRoom = this.#inner.write(frame);
    if (queued.end === 'complete') this.#inner.end(queued.hangUp);
    else if (queued.end === 'incomplete') this.#inner.endIncomplete();
    else if (hasRoom) this.onDrain?.();
  }

  #fail(error: unknown): void {
    this.#queued = undefined;
    this.onFail?.(error);
    // Otherwise, something else has responded.
    if ((error as { code?: unknown } | null)?.code !== 'head-sent') this.#inner.destroy();
  }
}
