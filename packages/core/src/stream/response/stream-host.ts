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
  /** Schedules new calls of `authorize` for the channels of the stream. */
  recheck(stream: Stream): void;
  report(error: unknown, context: ErrorContext): void;
  /** Called when the id of the stream was assigned. */
  streamNamed(stream: Stream): void;
  /** @param id the id of the stream, if one was assigned. */
  streamClosed(stream: Stream, reason: CloseReason, id: string | undefined): void;
  streamLagging(stream: Stream): void;
  streamReset(stream: Stream, reason: ResetReason, channels: readonly string[]): void;
  streamBegan(stream: Stream, replay: ReplayMeter): void;
}
