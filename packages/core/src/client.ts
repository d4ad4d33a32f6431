// For pages: it knows of no server, and needs the types of nothing but an EventSource.
import type { Reset } from './protocol/reset.ts';

export type { Reset, ResetReason } from './protocol/reset.ts';

declare const carries: unique symbol;

/** JSON of something, as text: {@link parse} makes it that. */
export type Json<T> = string & { readonly [carries]: T };

/** What is left of a value that has been sent as JSON: a Date is a string, and a function is gone. */
export type Parsed<T> = T extends string | number | boolean | null
  ? T
  : T extends { toJSON(): infer Sent }
    ? Parsed<Sent>
    : T extends (...args: never) => unknown
      ? never
      : T extends object
        ? { [Key in keyof T]: Parsed<T[Key]> }
        : T;

/** The events of one or several channels, out of the map of `createHub<Channels>()`. */
export type EventsOf<Channels, Names extends keyof Channels = keyof Channels> = {
  [Event in NamesOf<Channels[Names]>]: DataOf<Channels[Names], Event>;
};

// Of each channel in a union.
type NamesOf<Events> = Events extends unknown ? keyof Events & string : never;
type DataOf<Events, Event> = Events extends unknown
  ? Event extends keyof Events
    ? Events[Event]
    : never
  : never;

/**
 * What a page may hear beside what is published: `reset` tells what it has missed, and `snapshot` is the state of a
 * channel that has one, unless its `snapshotEvent` says otherwise.
 */
export interface OwnEvents {
  reset: Reset;
  snapshot: unknown;
}

type AllEvents<Events> = Events & Omit<OwnEvents, keyof Events>;

/** These are sent as they are, and the rest as JSON; of what may be either, nothing says which it is. */
type SentAsText = string | Uint8Array | ArrayBuffer;
type Text<T> = [Extract<T, SentAsText>] extends [never] ? Json<T> : string;

/** A MessageEvent that says what its data is. */
export interface TypedMessageEvent<T> extends Omit<MessageEvent, 'data'> {
  readonly data: [T] extends [never] ? never : Text<T>;
}

/**
 * An EventSource that knows the events of its channels: annotate one with it, and other names are errors.
 *
 * @typeParam Events by name, what they carry: `Channels['prices']`, or {@link EventsOf} for several channels.
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
 * The data of an event, parsed, in the type that its name stands for.
 *
 * @throws {SyntaxError} it is no JSON: something else has sent it.
 */
export function parse<T>(event: { readonly data: Json<T> }): Parsed<T> {
  return JSON.parse(event.data);
}
