import { isObject } from '../base/option-checks.ts';
import { type From, isFrom } from '../delivery/subscriptions/subscribe-options.ts';
import { CONTROL_CHANNEL, type Draft } from '../log/broker/broker.ts';
import type { ChannelSettings } from '../log/keep.ts';

/** How much of the control channel a broker retains. */
export const CONTROL_SETTINGS: ChannelSettings = {
  events: 1_000,
  bytes: 1024 * 1024,
  age: 10 * 60_000,
  compact: false,
  overflow: 'reset',
  snapshot: undefined,
  flushInterval: 0,
};

/** The channel to which processes publish their stats: see Processes. Applications cannot use its name. */
export const PROCESSES_CHANNEL = '\0processes';

const PROCESSES_SETTINGS: ChannelSettings = { ...CONTROL_SETTINGS, age: 60_000 };

/** The hub's own channels, and their settings. */
export const OWN_CHANNELS: ReadonlyMap<string, ChannelSettings> = new Map([
  [CONTROL_CHANNEL, CONTROL_SETTINGS],
  [PROCESSES_CHANNEL, PROCESSES_SETTINGS],
]);

/** The streams that a message is for. */
export interface Target {
  /** A client, or the id of a stream. */
  readonly who: string;
  /** The client that must own the streams. Absent: any client or none. */
  readonly owner?: string | undefined;
}

/** A message of one hub to the hubs of all processes. It takes effect at its position in the log. */
export type ControlMessage =
  | (Target & { readonly type: 'disconnect' })
  | (Target & { readonly type: 'recheck' })
  | (Target & {
      readonly type: 'subscribe';
      readonly channels: readonly string[];
      readonly options: { readonly from?: From | undefined };
    })
  | (Target & { readonly type: 'unsubscribe'; readonly channels: readonly string[] })
  /** Cancels the sources that publish to the channel. */
  | { readonly type: 'stop'; readonly channel: string }
  /** Asks every other process to publish its stats to {@link PROCESSES_CHANNEL}. */
  | { readonly type: 'describe' };

/** A control message as it is stored: with its sender. */
export type StoredMessage = ControlMessage & { readonly from: string };

export function controlDraft(message: StoredMessage): Draft {
  return draftOf(CONTROL_CHANNEL, CONTROL_SETTINGS, 'control', message);
}

export function processDraft(process: object): Draft {
  return draftOf(PROCESSES_CHANNEL, PROCESSES_SETTINGS, 'event', process);
}

function draftOf(channel: string, settings: ChannelSettings, kind: Draft['kind'], data: object): Draft {
  const { events, bytes, age, compact } = settings;
  return { channel, kind, json: true, data: JSON.stringify(data), keep: { events, bytes, age, compact } };
}

/**
 * Reads a stored message. Undefined if this version does not support it: other processes may run another version of
 * Tidings.
 */
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
  if (type === 'describe') return true;
  if (type === 'stop') return isName(channel);
  if (typeof who !== 'string' || (owner !== undefined && typeof owner !== 'string')) return false;
  if (type === 'disconnect' || type === 'recheck') return true;
  if (type === 'unsubscribe') return areNames(channels);
  if (type !== 'subscribe' || !areNames(channels) || !isObject(options)) return false;
  const start = (options as { from?: unknown }).from;
  return start === undefined || isFrom(start);
}

/** Whether a value can be the name of an application's channel. */
function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && !value.startsWith('\0');
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every(isName);
}
