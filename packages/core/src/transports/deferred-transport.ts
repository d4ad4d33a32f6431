import type { FanOut } from '../delivery/fan-out.ts';
import type { Frame } from '../protocol/frame.ts';
import type { NodeRequest, NodeResponse } from './connection.ts';
import { headersSent, NodeTransport } from './node-transport.ts';

/**
 * Called once, before a stream sends its headers. The stream waits for the promise, if there is one. In the meantime
 * other code may set headers, or send the response.
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
  closesConnection: boolean;
}

/** Bytes that are queued before `write` returns false. */
const HIGH_WATER_MARK = 64 * 1024;

/**
 * A response of Node.js that begins when its framework has settled the headers.
 *
 * ```
 * pending ──open──▶ queued ──settled──▶ opened, begun
 *    └──release───────┴──▶ released, or sent by something else
 * ```
 */
export class DeferredTransport extends NodeTransport {
  #beforeHeaders: BeforeHeaders | undefined;
  #queued: QueuedResponse | undefined;

  constructor(req: NodeRequest, res: NodeResponse, beforeHeaders: BeforeHeaders) {
    super(req, res);
    this.#beforeHeaders = beforeHeaders;
  }

  override get bufferedBytes(): number {
    return (this.#queued?.bytes ?? 0) + super.bufferedBytes;
  }

  override open(status: number, headers: Record<string, string>, closesConnection = false): void {
    this.checkUnsent();
    if (this.closed) return;
    const settled = this.#beforeHeaders?.(status, headers);
    this.#beforeHeaders = undefined;
    if (settled === undefined) {
      super.open(status, headers, closesConnection);
      return;
    }
    this.#queued = { status, headers, frames: [], bytes: 0, end: undefined, closesConnection };
    settled.then(
      () => this.begin(),
      error => this.fail(error),
    );
  }

  override write(frame: Frame, fanOut?: FanOut): boolean {
    const queued = this.#queued;
    if (queued === undefined) return super.write(frame, fanOut);
    queued.frames.push(frame);
    queued.bytes += frame.length;
    return queued.bytes < HIGH_WATER_MARK;
  }

  override end(closesConnection = false): void {
    const queued = this.#queued;
    if (queued === undefined) {
      super.end(closesConnection);
      return;
    }
    queued.closesConnection ||= closesConnection;
    queued.end ??= 'complete';
  }

  override endIncomplete(): void {
    if (this.#queued === undefined) super.endIncomplete();
    else this.#queued.end = 'incomplete';
  }

  override destroy(): void {
    this.#queued = undefined;
    super.destroy();
  }

  override release(): void {
    super.release();
    if (this.#queued !== undefined) this.fail(headersSent());
  }

  override disconnected(): void {
    this.#queued = undefined;
    super.disconnected();
  }

  begin(): void {
    const queued = this.#queued;
    if (queued === undefined) return;
    this.#queued = undefined;
    try {
      super.open(queued.status, queued.headers, queued.closesConnection);
    } catch (error) {
      this.fail(error);
      return;
    }
    let hasRoom = true;
    for (const frame of queued.frames) hasRoom = super.write(frame);
    if (queued.end === 'complete') super.end(queued.closesConnection);
    else if (queued.end === 'incomplete') super.endIncomplete();
    else if (hasRoom) this.listener?.drained();
  }

  fail(error: unknown): void {
    this.#queued = undefined;
    this.listener?.failed(error);
    // Otherwise, something else has responded.
    if ((error as { code?: unknown } | null)?.code !== 'head-sent') super.destroy();
  }
}
