/**
 * Why a client cannot receive everything that it missed.
 *
 * - `history`: events that it missed were trimmed.
 * - `slow`: events were trimmed before the client had read so far.
 * - `unknown`: the id that it sent is not of this hub's log.
 * - `interrupted`: its last connection broke during a backfill.
 */
export type ResetReason = 'history' | 'slow' | 'unknown' | 'interrupted';

/** The data of a `reset` event: what a client has missed and cannot receive. */
export interface Reset {
  reason: ResetReason;
  /** The channels that lack events. */
  channels: string[];
}
