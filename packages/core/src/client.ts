// For pages. The types depend on EventSource only, and on no server.
import type { Parsed, SentAsText } from './protocol/parsed.ts';
import type { Reset } from './protocol/reset.ts';

export type { Parsed } from './protocol/parsed.ts';
export type { Reset, ResetReason } from './protocol/reset.ts';

declare const carries: unique symbol;

/** Text that is the JSON of a `T`. {@link parse} returns the value. */
export type Json<T> = string & { readonly [carries]: T };

/** The events of one or several channels, from the map of `createHub<Channels>()`. */
export type EventsOf<Channels, Names extends keyof Channels = keyof Channels> = {
  [Event in NamesOf<Channels[Names]>]: DataOf<Channels[Names], Event>;
};

// The conditional types distribute over a union of channels.
type NamesOf<Events> = Events extends unknown ? keyof Events & string : never;
type DataOf<Events, Event> = Events extends unknown
  ? Event extends keyof Events
    ? Events[Event]
    : never
  : never;

/** The data of a `revoked` event: channels that the page may no longer follow. */
export interface Revoked {
  channels: string[];
}

/**
 * Events of the hub itself. `reset` names the channels with missing events. `revoked` names the channels that the page
 * may no longer follow. `snapshot` has the state of a channel, unless `snapshotEvent` sets another name. `tidings` is a
 * position marker, which has an id and no data.
 */
export interface OwnEvents {
  reset: Reset;
  revoked: Revoked;
  snapshot: unknown;
  tidings: '';
}

type AllEvents<Events> = Events & Omit<OwnEvents, keyof Events>;

/** The type of the data as sent. If a union has a text type, the page cannot determine whether the data is JSON. */
type Text<T> = [Extract<T, SentAsText>] extends [never] ? Json<T> : string;

/** A MessageEvent with the type of its data. */
export interface TypedMessageEvent<T> extends Omit<MessageEvent, 'data'> {
  readonly data: [T] extends [never] ? never : Text<T>;
}

/**
 * An EventSource with the types of its events. Listeners for other names are type errors.
 *
 * @typeParam Events name → data: `Channels['prices']`, or {@link EventsOf} for several channels.
 */
export interface TypedEventSource<Events>
  extends Omit<EventSource, 'addEventListener' | 'removeEventListener' | 'onmessage'> {
  onmessage:
    | ((event: TypedMessageEvent<'message' extends keyof Events ? Events['message'] : never>) => unknown)
    | null;
  addEventListener: Listen<Events>;
  removeEventListener: Listen<Events>;
}

type ListenOptions = boolean | { once?: boolean; capture?: boolean; passive?: boolean; signal?: AbortSignal };

interface Listen<Events> {
  <Name extends keyof AllEvents<Events> & string>(
    name: Name,
    listener: (event: TypedMessageEvent<AllEvents<Events>[Name]>) => unknown,
    options?: ListenOptions,
  ): void;
  (name: 'open' | 'error', listener: (event: Event) => unknown, options?: ListenOptions): void;
}

/**
 * Parses the data of an event, and returns it with the type of the event.
 *
 * @throws {SyntaxError} the data is not JSON: it was not published with the type of the map.
 */
export function parse<T>(event: { readonly data: Json<T> }): Parsed<T> {
  return JSON.parse(event.data);
}

/** A table of listeners, by the name of the event. `message` is the event without a name. */
export type Listeners<Events> = {
  [Name in keyof AllEvents<Events>]?: (event: TypedMessageEvent<AllEvents<Events>[Name]>) => unknown;
};

/** Adds the listeners of a table to an EventSource. Returns a function that removes them. */
export function addListeners<Events>(
  source: TypedEventSource<Events>,
  listeners: Listeners<Events>,
): () => void {
  const target = source as unknown as EventTarget;
  const entries = Object.entries(listeners) as [name: string, listener: (event: Event) => void][];
  for (const [name, listener] of entries) target.addEventListener(name, listener);
  return () => {
    for (const [name, listener] of entries) target.removeEventListener(name, listener);
  };
}
