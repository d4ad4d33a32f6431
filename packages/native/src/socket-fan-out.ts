import type { FanOut, FanOutTarget } from '@tidings/core';
import type { Addon } from './addon.ts';

/**
 * Collects the chunks that the delivery loop writes without a pause, and sends each to all its sockets with one call.
 */
export class SocketFanOut implements FanOut {
  isCollecting = false;
  batch = 0;
  readonly #addon: Addon;
  #targets = new Map<Uint8Array, FanOutTarget[]>();
  /** The last chunk and its targets. Most calls of `add` have the same chunk as the call before. */
  #chunk: Uint8Array | undefined;
  #chunkTargets: FanOutTarget[] = [];
  #descriptors = new Int32Array(256);

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  begin(): void {
    this.batch += 1;
    this.isCollecting = true;
  }

  add(target: FanOutTarget, chunk: Uint8Array): void {
    if (chunk !== this.#chunk) {
      this.#chunk = chunk;
      this.#chunkTargets = this.#targets.get(chunk) ?? [];
      this.#targets.set(chunk, this.#chunkTargets);
    }
    this.#chunkTargets.push(target);
  }

  flush(): void {
    this.isCollecting = false;
    if (this.#chunk === undefined) return;
    const collected = this.#targets;
    this.#chunk = undefined;
    this.#targets = new Map();
    const failures: unknown[] = [];
    for (const [chunk, targets] of collected) this.#send(chunk, targets, failures);
    if (failures.length > 0) throw failures[0];
  }

  /**
   * No code of the application runs between reading the first descriptor and the call of the addon. Otherwise a socket
   * could be closed, and its descriptor reused by another socket.
   */
  #send(chunk: Uint8Array, targets: FanOutTarget[], failures: unknown[]): void {
    const others: FanOutTarget[] = [];
    if (this.#descriptors.length < targets.length) this.#descriptors = new Int32Array(2 * targets.length);
    const descriptors = this.#descriptors;
    let count = 0;
    for (const target of targets) {
      const descriptor = target.descriptorFor(chunk);
      if (descriptor >= 0) {
        descriptors[count] = descriptor;
        // Moved to the front of the array, which saves a second one.
        targets[count++] = target;
      } else others.push(target);
    }
    if (count > 0) this.#addon.send(descriptors, count, chunk);
    // Targets of the addon first, so that unsent bytes are queued: the other writes may call code of the application,
    // if a middleware has wrapped the response.
    for (let i = 0; i < count; i++) reportSent(targets[i], chunk, descriptors[i], failures);
    for (const target of others) reportSent(target, chunk, 0, failures);
  }
}

/** Passes the number of sent bytes to a target. Collects its error, so that the other targets are still called. */
function reportSent(
  target: FanOutTarget | undefined,
  chunk: Uint8Array,
  bytes: number | undefined,
  failures: unknown[],
): void {
  try {
    target?.sent(chunk, bytes ?? 0);
  } catch (error) {
    failures.push(error);
  }
}
