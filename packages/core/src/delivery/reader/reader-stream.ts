import type { ResetReason } from '../../protocol/reset.ts';
import type { Subscriber } from '../subscriptions/subscription.ts';

/** What a reader needs of its stream. */
export interface ReaderStream extends Subscriber {
  readonly context: { readonly resetEvent: string };
  /** The client receives markers and resets. */
  readonly hasMarkers: boolean;
  /** A reset is about to be sent. */
  resetQueued(reason: ResetReason, channels: readonly string[]): void;
}
