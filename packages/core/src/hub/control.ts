import { isObject } from '../base/option-checks.ts';
import { CONTROL_CHANNEL, type Draft } from '../log/broker.ts';
import type { ChannelSettings } from '../log/channel-log.ts';
import type { Entry } from '../log/entry.ts';

/** A message from one hub to the hubs of all processes. */
export interface ControlMessage {
  /** The hub that sent it, and has done it already. */
  from: string;
  /** Closes the streams of this client. */
  disconnect: string;
}

/** How much of the control channel a broker retains. */
export const CONTROL_SETTINGS: ChannelSettings = {
  events: 1_000,
  bytes: 1024 * 1024,
  age: 10 * 60_000,
  compact: false,
  overflow: 'reset',
  snapshot: undefined,
};

export function controlDraft(message: ControlMessage): Draft {
  const { events, bytes, age, compact } = CONTROL_SETTINGS;
  return {
    channel: CONTROL_CHANNEL,
    kind: 'control',
    json: true,
    data: JSON.stringify(message),
    keep: { events, bytes, age, compact },
  };
}

/** Undefined if it is a message that this version does not know. */
export function parseControl({ data }: Entry): ControlMessage | undefined {
  const message: unknown = JSON.parse(data);
  if (!isObject(message) || !('from' in message) || !('disconnect' in message)) return undefined;
  const { from, disconnect } = message;
  return typeof from === 'string' && typeof disconnect === 'string' ? { from, disconnect } : undefined;
}
