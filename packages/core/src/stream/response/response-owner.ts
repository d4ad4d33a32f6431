import type { TurnBudget } from '../../base/event-loop.ts';
import type { Scheduler } from '../../base/scheduler.ts';
import type { DeliveryContext } from '../../delivery/delivery-target.ts';
import type { CloseReason, ErrorContext } from '../event-stream.ts';
import type { StreamLimits } from '../stream-limits.ts';

/** What a response needs of its hub. */
export interface ResponseHost {
  readonly scheduler: Scheduler;
  readonly limits: StreamLimits;
  readonly context: DeliveryContext;
  /** A broker, or the application, may take its time before a stream can begin. */
  readonly mayWait: boolean;
  /** The hub closes. Connections end with their responses. */
  readonly isDraining: boolean;
  /** The time that responses may take to begin in this turn. */
  readonly responses: TurnBudget;
  streamWritten(events: number, bytes: number): void;
}

/** The stream of a response. */
export interface ResponseOwner {
  readonly lastEventId: string | undefined;
  report(error: unknown, stage: ErrorContext['stage']): void;
  /** It is time to ask again whether the stream may follow its channels. */
  recheckDue(): void;
  responseClosed(reason: CloseReason): void;
  /** The client does not keep up. */
  responseFull(): void;
}
