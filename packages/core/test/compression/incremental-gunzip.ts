import { constants, gunzipSync } from 'node:zlib';
import type { Frame } from '../../src/protocol/frame.ts';

/** Decodes a gzip body as it comes. Throws at the first byte that zlib does not accept. */
export class IncrementalGunzip {
  #bytes = Buffer.alloc(0);

  /** Returns everything that a client can see by now. */
  push({ bytes }: Pick<Frame, 'bytes'>): string {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    return gunzipSync(this.#bytes, { finishFlush: constants.Z_SYNC_FLUSH }).toString();
  }

  /** Throws unless the body is complete, with the right CRC and length. */
  end(): string {
    return gunzipSync(this.#bytes).toString();
  }

  get length(): number {
    return this.#bytes.length;
  }
}
