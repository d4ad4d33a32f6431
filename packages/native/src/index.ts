import type { FanOut } from '@tidings/core';
import { loadAddon } from './addon.ts';
import { SocketFanOut } from './socket-fan-out.ts';

let hasWarned = false;

/**
 * Creates the addon for the option `fanOut` of `createHub()`. It sends one event to many sockets with one call of C.
 *
 * @returns undefined if there is no binary for this platform. The process then prints a warning once, and the hub
 *   writes to each socket separately.
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
