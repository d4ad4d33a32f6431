/**
 * Why a client cannot receive all events that it missed.
 *
 * - `history`: events that it missed were trimmed.
 * - `slow`: events were trimmed before the client had read them.
 * - `unknown`: the id that it sent is not of this hub's log.
 * - `interrupted`: its last connection broke during a backfill.
 */
export type ResetReason = 'history' | 'slow' | 'unknown' | 'interrupted';

/** The data of a `reset` event: the channels of which a client has missed events that it cannot receive. */
export interface Reset {
  reason: ResetReason;
  /** The channels with missing events. */
  channels: string[];
}
