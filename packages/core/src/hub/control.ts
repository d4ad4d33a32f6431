import { isObject } from '../base/option-checks.ts';
import { type From, isFrom } from '../delivery/subscriptions/subscribe-options.ts';
import { CONTROL_CHANNEL, type Draft } from '../log/broker.ts';
import type { ChannelSettings } from '../log/channel-log.ts';

/** How much of the control channel a broker retains. */
export const CONTROL_SETTINGS: ChannelSettings = {
  events: 1_000,
  bytes: 1024 * 1024,
  age: 10 * 60_000,
  compact: false,
  overflow: 'reset',
  snapshot: undefined,
};

/** The streams that a message is for. */
export interface Target {
  /** A client, or the id of a stream. */
  readonly who: string;
  /** The streams must belong to this client. Absent: to anyone. */
  readonly owner?: string | undefined;
}

/** What one hub tells the hubs of all processes. It applies at its position in the log. */
export type ControlMessage =
  | (Target & { readonly type: 'disconnect' })
  | (Target & { readonly type: 'recheck' })
  | (Target & {
      readonly type: 'subscribe';
      readonly channels: readonly string[];
      readonly options: { readonly from?: From | undefined };
    })
  | (Target & { readonly type: 'unsubscribe'; readonly channels: readonly string[] })
  /** Sources that publish to the channel stop. */
  | { readonly type: 'stop'; readonly channel: string };

/** A control message as it is stored: with its sender. */
export type StoredMessage = ControlMessage & { readonly from: string };

export function controlDraft(message: StoredMessage): Draft {
  const { events, bytes, age, compact } = CONTROL_SETTINGS;
  return {
    channel: CONTROL_CHANNEL,
    kind: 'control',
    json: true,
    data: JSON.stringify(message),
    keep: { events, bytes, age, compact },
  };
}

/** Reads a stored message. Undefined for those that this version does not support: other versions may run beside it. */
export function readControl(data: string): StoredMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(data);
  } catch {
    return undefined;
  }
  return isObject(message) && isSupported(message) ? message : undefined;
}

function isSupported(message: object): message is StoredMessage {
  const { from, type, who, owner, channel, channels, options } = message as Record<string, unknown>;
  if (typeof from !== 'string') return false;
  if (type === 'stop') return isName(channel);
  if (typeof who !== 'string' || (owner !== undefined && typeof owner !== 'string')) return false;
  if (type === 'disconnect' || type === 'recheck') return true;
  if (type === 'unsubscribe') return areNames(channels);
  if (type !== 'subscribe' || !areNames(channels) || !isObject(options)) return false;
  const start = (options as { from?: unknown }).from;
  return start === undefined || isFrom(start);
}

/** Whether it can be the name of a channel of the application. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !value.startsWith('\0');
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(isName);
}
