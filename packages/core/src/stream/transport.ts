import type { FanOut } from '../delivery/fan-out.ts';
import type { Frame } from '../protocol/frame.ts';

/** What a transport reports to its stream. */
export interface TransportListener {
  /** Call it when there is room again after a `write` that has returned false. */
  drained(): void;
  /** Call it when the response is over: it was sent completely, or the client has disconnected. */
  closed(): void;
  /**
   * Call it when the handler of the request has failed: the stream reports the error and ends the response. Pass a
   * TidingsError `head-sent` if other code sends the response: the stream closes as `refused`.
   */
  failed(error: unknown): void;
}

/**
 * One response of a server, to which a stream writes. Implement it for a server for which Tidings has no adapter, and
 * pass it to `hub.open()`.
 */
export interface Transport {
  /** Whether the client had disconnected before the transport was created. Default: false. */
  readonly closed?: boolean;
  /** Whether the response is over because other code has sent it. Default: false. */
  readonly refused?: boolean;
  /** The request, for {@link EventStream.stats}. Default: unknown. */
  readonly request?: { readonly url: string; readonly protocol: string } | undefined;
  /**
   * Bytes that were written and are still in this process. 0 means that the transport accepts more, even if it has
   * not called `drained`.
   */
  readonly bufferedBytes: number;

  /**
   * Sends the status and the headers, in addition to those that are already set on the response. Called once, before
   * anything else. A `write` or `end` follows synchronously, and may be sent together with the headers.
   *
   * @param closesConnection whether the connection will close after this response.
   * @throws {TidingsError} `head-sent`: other code has sent the response. Do not change the response in this case.
   */
  open(status: number, headers: Record<string, string>, closesConnection?: boolean): void;
  /**
   * Sends a frame. When the response is over, it does nothing and must not throw.
   *
   * @param fanOut while it collects, a transport may add the frame's chunk to it instead of writing. Most transports
   *   ignore it.
   * @returns false if the frame was accepted and the high-water mark is reached. Call `drained` of the listener when
   *   there is room again.
   */
  write(frame: Frame, fanOut?: FanOut): boolean;
  /**
   * Ends the response after all written frames. Idempotent.
   *
   * @param closesConnection whether the connection closes after the response.
   */
  end(closesConnection?: boolean): void;
  /**
   * Ends the response after all written frames, so that the client detects that it is incomplete: without the last
   * chunk of HTTP/1.1, with RST_STREAM of HTTP/2. Idempotent. Default: `destroy()`.
   */
  endIncomplete?(): void;
  /** Aborts the response. Bytes that were not sent are dropped. */
  destroy(): void;

  /** Set once by the stream. */
  listener: TransportListener | undefined;
}
