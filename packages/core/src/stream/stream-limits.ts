import type { CompressionSettings } from '../compression/zlib.ts';
import type { FanOut } from '../delivery/fan-out.ts';
import type { Heartbeat } from './heartbeat.ts';

/** The options of a hub that its streams need. A limit that is switched off is Infinity. */
export interface StreamLimits {
  readonly heartbeat: Heartbeat;
  readonly maxBufferedBytes: number;
  readonly bufferedBytesLimit: number;
  /** ms. */
  readonly stallTimeout: number;
  /** ms. */
  readonly maxAge: number;
  /** ms between two calls of `authorize` for a stream and a channel. */
  readonly recheck: number;
  /** Absent: responses are not compressed. */
  readonly compression: CompressionSettings | undefined;
  /** Absent: the hub writes to each response separately. */
  readonly fanOut: FanOut | undefined;
}
