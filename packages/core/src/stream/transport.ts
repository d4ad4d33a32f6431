import type { Frame } from '../protocol/frame.ts';

/**
 * What a framework has to supply for one response: where the bytes go, and what became of the peer.
 * Implement it to put streams on a server that Tidings has no adapter for, and give it to `hub.open()`.
 */
export interface Transport {
  /** True when the peer had left before the transport was made; absent counts as false. */
  readonly closed?: boolean;
  /** True when the response is over because something else has answered; absent counts as false. */
  readonly refused?: boolean;
  /** Bytes that were written and are still in this process. With 0, there is room, though `onDrain` was not called. */
  readonly bufferedBytes: number;

  /**
   * Sends the status and the headers, beside those that are already on the response. Called once, before
   * anything else; a `write` or `end` follows in the same turn, and the head may go out together with it.
   *
   * `hangUp`: it is known already that the connection shall end with this response.
   *
   * Must throw a TidingsError `head-sent`, and leave the response alone, if something else has answered it.
   */
  open(status: number, headers: Record<string, string>, hangUp?: boolean): void;
  /**
   * Sends a frame. False: it was taken, but that was enough; `onDrain` follows when there is room again.
   * Once the response is over, whoever ended it, this does nothing and must not throw.
   */
  write(frame: Frame): boolean;
  /** Ends the response when everything written has gone out. `hangUp`: the connection shall end with it. May be called again. */
  end(hangUp?: boolean): void;
  /** Ends the response at once; what has not gone out is dropped. */
  destroy(): void;

  /**
   * Set by the stream, once, when a `write` has returned false. To be called each time there is room again after that.
   */
  onDrain: (() => void) | undefined;
  /**
   * Set once by the stream. To be called when the response is over: sent to its end, or the peer is gone.
   */
  onClose: (() => void) | undefined;
  /**
   * Set once by the stream. To be called when whoever handles the request has failed: the stream reports it and
   * ends the response. With a `head-sent` as for `open`, something else answers, and the stream is refused.
   */
  onFail?: ((error: unknown) => void) | undefined;
}
