/** Why a client cannot be given all that it has missed. */
export type ResetReason = 'history' | 'slow' | 'unknown' | 'interrupted';

/** The data of a `reset` event: what a client has missed, and cannot be given. */
export interface Reset {
  reason: ResetReason;
  /** Those that lack something. */
  channels: string[];
}
