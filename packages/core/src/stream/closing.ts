import type { Frame } from '../protocol/frame.ts';
import type { CloseReason } from './event-stream.ts';

/** How a response closes. */
export interface Closing {
  readonly reason: CloseReason;
  /** Written last. */
  last: Frame | undefined;
  /** Whether the connection ends with the response. */
  hangUp: boolean;
}
