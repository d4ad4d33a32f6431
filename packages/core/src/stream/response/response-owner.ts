import type { IterationBudget } from '../../base/event-loop.ts';
import type { Scheduler } from '../../base/scheduler.ts';
import type { DeliveryContext } from '../../delivery/delivery-target.ts';
import type { CloseReason, ErrorContext } from '../event-stream.ts';
import type { StreamLimits } from '../stream-limits.ts';

/** What a response needs of its hub. */
export interface ResponseHost {
  readonly scheduler: Scheduler;
  readonly limits: StreamLimits;
  readonly context: DeliveryContext;
  /** Streams may have to wait for a broker, or for `authorize`, before they can begin. */
  readonly mayWait: boolean;
  /** The hub closes. Connections close after their responses. */
  readonly isDraining: boolean;
  /** The time for which responses may begin in one iteration of the event loop. */
  readonly responses: IterationBudget;
  streamWritten(events: number, bytes: number): void;
}

/** The stream of a response. */
export interface ResponseOwner {
  readonly lastEventId: string | undefined;
  report(error: unknown, stage: ErrorContext['stage']): void;
  /** Called when `authorize` is due again for the channels of the stream. */
  recheckDue(): void;
  responseClosed(reason: CloseReason): void;
  /** Called when the stream becomes a slow consumer. */
  responseFull(): void;
}
