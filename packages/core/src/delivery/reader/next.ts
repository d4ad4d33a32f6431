import type { Frame } from '../../protocol/frame.ts';
import type { Subscription } from '../subscriptions/subscription.ts';

/** Entries that a stream needs were trimmed before it had received them. */
export class Gap {
  readonly subscriptions: readonly Subscription[];

  constructor(subscriptions: readonly Subscription[]) {
    this.subscriptions = subscriptions;
  }

  /** Whether the stream closes in place of a reset, if its client can reconnect. */
  get disconnects(): boolean {
    return this.subscriptions.some(({ channel }) => channel.disconnectsSlow);
  }
}

/**
 * What comes next for a stream: a frame to write; a gap in what it needs; `more`, ask again (none of the entries so far
 * were for this stream); `waiting` for a snapshot; or `caught-up`.
 */
export type Next = Frame | Gap | 'more' | 'waiting' | 'caught-up';
