import { isObject } from '../base/option-checks.ts';
import { CONTROL_CHANNEL, type Draft } from '../log/broker.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import type { Entry } from '../log/entry.ts';

/** How much of the control channel a broker retains. */
export const CONTROL_SETTINGS: ChannelSettings = {
  events: 1_000,
  bytes: 1024 * 1024,
  age: 10 * 60_000,
  compact: false,
  overflow: 'reset',
  snapshot: undefined,
};

/** The control messages of one hub: those that it sends, and those that it receives from the hubs of all processes. */
export class ControlMessages {
  /** Identifies the hub as the sender. Created at first use: Workers allow no randomness at module scope. */
  #sender: string | undefined;

  /** The message that makes all other hubs close the streams of a client. */
  disconnect(client: string): Draft {
    this.#sender ??= crypto.randomUUID();
    const { events, bytes, age, compact } = CONTROL_SETTINGS;
    return {
      channel: CONTROL_CHANNEL,
      kind: 'control',
      json: true,
      data: JSON.stringify({ from: this.#sender, disconnect: client }),
      keep: { events, bytes, age, compact },
    };
  }

  /**
   * The client whose streams another hub asks to close. Undefined for this hub's own messages, which it has carried out
   * already, and for those that this version does not support.
   */
  clientToDisconnect({ data }: Entry): string | undefined {
    const message: unknown = JSON.parse(data);
    if (!isObject(message) || !('from' in message) || !('disconnect' in message)) return undefined;
    const { from, disconnect } = message;
    if (typeof from !== 'string' || typeof disconnect !== 'string') return undefined;
    return from === this.#sender ? undefined : disconnect;
  }
}
