import type { FanOut } from '@tidings/core';
import { loadAddon } from './addon.ts';
import { SocketFanOut } from './socket-fan-out.ts';

let hasWarned = false;

/**
 * Sends one event to many sockets with one call of C, for the option `fanOut` of `createHub()`.
 *
 * @returns undefined where there is no binary for this platform; a warning of the process says so once, and the hub writes
 *   to each socket by itself.
 */
export function native(): FanOut | undefined {
  try {
    return new SocketFanOut(loadAddon());
  } catch (error) {
    if (!hasWarned) {
      hasWarned = true;
      const reason = error instanceof Error ? error.message : String(error);
      process.emitWarning(`@tidings/native is not used: ${reason}`, { code: 'TIDINGS_NATIVE' });
    }
    return undefined;
  }
}
