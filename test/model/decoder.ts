import { constants, gunzipSync } from 'node:zlib';
import type { Frame } from '@tidings/core';

/** Decodes the body of a response as it comes, and throws at the first byte that zlib does not accept. */
export class Decoder {
  #body = Buffer.alloc(0);
  /** Bytes that it has returned. */
  #decoded = 0;

  read(frame: Frame): Frame {
    this.#body = Buffer.concat([this.#body, frame.bytes]);
    const all = gunzipSync(this.#body, { finishFlush: constants.Z_SYNC_FLUSH });
    const bytes = all.subarray(this.#decoded);
    this.#decoded = all.length;
    return { bytes, length: bytes.length, chunk: bytes, events: frame.events, hasId: frame.hasId };
  }

  /** Throws unless the body is complete, with the right CRC. */
  end(): void {
    if (this.#body.length > 0) gunzipSync(this.#body);
  }
}
