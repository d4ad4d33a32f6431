import { encode } from '../event.ts';
import { createFrame, type Frame } from '../frame.ts';

/** Why a client cannot be given all that it has missed. */
export type ResetReason = 'history' | 'slow' | 'unknown' | 'interrupted';

/** The data of a `reset` event: what a client has missed, and cannot be given. */
export interface Reset {
  reason: ResetReason;
  /** Those that lack something. */
  channels: string[];
}

export function createReset(reset: Reset, id: string, event: string): Frame {
  return createFrame(encode(reset, { id, event }), 1);
}
