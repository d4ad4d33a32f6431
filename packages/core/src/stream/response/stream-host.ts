import type { ReplayMeter } from '../../delivery/replay.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { StreamGuard } from '../channels/stream-access.ts';
import type { CloseReason, ErrorContext } from '../event-stream.ts';
import type { ResponseHost } from './response-owner.ts';

/** What a stream needs of its hub. */
export interface StreamHost<Stream> extends ResponseHost {
  isDraining: boolean;
  /** Decides which channels a stream may follow. Absent: all. */
  readonly guard: StreamGuard | undefined;
  /** The stream asks again, soon, whether it may follow its channels. */
  recheck(stream: Stream): void;
  report(error: unknown, context: ErrorContext): void;
  /** The stream has got its id. */
  streamNamed(stream: Stream): void;
  /** @param id of the stream, if it has got one. */
  streamClosed(stream: Stream, reason: CloseReason, id: string | undefined): void;
  streamLagging(stream: Stream): void;
  streamReset(stream: Stream, reason: ResetReason, channels: readonly string[]): void;
  streamBegan(stream: Stream, replay: ReplayMeter): void;
}
