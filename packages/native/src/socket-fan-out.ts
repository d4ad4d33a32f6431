import type { FanOut, FanOutTarget } from '@tidings/core';
import type { Addon } from './addon.ts';

/** Collects the chunks of one turn of the delivery loop, and sends each to all its sockets with one call. */
export class SocketFanOut implements FanOut {
  isCollecting = false;
  batch = 0;
  readonly #addon: Addon;
  #targets = new Map<Uint8Array, FanOutTarget[]>();
  /** Most chunks are those of the response before. */
  #chunk: Uint8Array | undefined;
  #ofChunk: FanOutTarget[] = [];
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
      this.#ofChunk = this.#targets.get(chunk) ?? [];
      this.#targets.set(chunk, this.#ofChunk);
    }
    this.#ofChunk.push(target);
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
   * Between the first descriptor and the call of the addon, nothing of the application runs: no socket can be closed, and
   * its descriptor used by another.
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
        targets[count++] = target;
      } else others.push(target);
    }
    if (count > 0) this.#addon.send(descriptors, count, chunk);
    // The rests before the others: a response that something has wrapped may call the application.
    for (let i = 0; i < count; i++) tell(targets[i], chunk, descriptors[i], failures);
    for (const target of others) tell(target, chunk, 0, failures);
  }
}

/** A target that fails must not keep the others from being told. */
function tell(
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
