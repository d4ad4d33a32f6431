/** A response with a chunk that can be sent together with those of other responses. */
export interface FanOutTarget {
  /**
   * Returns the descriptor of the socket if it accepts the chunk now, otherwise -1. Calls no code of the application,
   * so that the descriptors of many targets belong to open sockets until the next callback.
   */
  descriptorFor(chunk: Uint8Array): number;
  /** Called when `bytes` of the chunk were sent. The target writes the rest. */
  sent(chunk: Uint8Array, bytes: number): void;
}

/**
 * Sends the chunks of many responses with few system calls. `native()` of `@tidings/native` creates one.
 *
 * The delivery loop calls `begin`, delivers, and calls `flush`. In between, responses may call `add` instead of
 * writing.
 */
export interface FanOut {
  /** Whether chunks are collected: true between `begin` and `flush`. */
  readonly isCollecting: boolean;
  /** Another number after each `begin`. A response adds itself at most once in a batch. */
  readonly batch: number;
  begin(): void;
  /** Collects a chunk. All targets with the same chunk object are sent together. */
  add(target: FanOutTarget, chunk: Uint8Array): void;
  /** Sends the collected chunks, and calls `sent` of each target. */
  flush(): void;
}
