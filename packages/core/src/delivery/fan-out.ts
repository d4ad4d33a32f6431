/** A response that has a chunk to be sent together with others. */
export interface FanOutTarget {
  /**
   * The descriptor of the socket that takes the chunk, if it can be sent there right now; else -1. Calls nothing of the
   * application, so that the descriptors of many targets are those of open sockets until the next callback.
   */
  descriptorFor(chunk: Uint8Array): number;
  /** So many bytes of the chunk were sent. Writes the rest by itself. */
  sent(chunk: Uint8Array, bytes: number): void;
}

/**
 * Sends the chunks of many responses with few calls of the system. `native()` of `@tidings/native` creates one.
 *
 * The delivery loop calls `begin`, delivers, and calls `flush`. Meanwhile responses may `add` themselves in place of a
 * write.
 */
export interface FanOut {
  /** Chunks are collected: between `begin` and `flush`. */
  readonly isCollecting: boolean;
  /** Another number after each `begin`. A response adds itself at most once in a batch. */
  readonly batch: number;
  begin(): void;
  /** Collects a chunk. All targets that are given the same object are sent to together. */
  add(target: FanOutTarget, chunk: Uint8Array): void;
  /** Sends what was collected, and tells each target how much of it was sent. */
  flush(): void;
}
