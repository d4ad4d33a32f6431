import type { RawEvent } from '../connection/connection.ts';
import type { Announcement } from '../control/control.ts';
import type { StreamChannels } from '../control/stream-channels.ts';
import type { State } from '../events.ts';

/** An event as the leader passes it on. */
export interface RelayedEvent extends RawEvent {
  /** It does not move the position, as a `reset`: whoever receives it is at its id afterwards. */
  readonly isNotice: boolean;
}

/** What the leader has received since its last relay. */
export interface Relay {
  readonly type: 'relay';
  readonly term: number;
  /** Counts the relays of a term. */
  readonly n: number;
  /** The leader's position before and after the events. */
  readonly before: string;
  readonly after: string;
  readonly events: readonly RelayedEvent[];
  readonly state: State;
  readonly error: string | undefined;
  /** ms without a relay after which the leader is dead. */
  readonly silence: number | undefined;
  /** Which channels the stream has by the control route. */
  readonly channels: StreamChannels | undefined;
}

/** What tabs send to each other. */
export type Message =
  | Relay
  /** A tab has joined: the leader sends a relay. Its term becomes newer than that which the tab knows. */
  | { readonly type: 'joined'; readonly term: number }
  /** There is a new leader: everyone sends their position. */
  | { readonly type: 'elected'; readonly term: number }
  | { readonly type: 'position'; readonly term: number; readonly id: string }
  /** A tab follows other channels. */
  | (Announcement & { readonly type: 'channels'; readonly tab: string })
  /** The stream has what a tab follows, or the server refuses it. */
  | {
      readonly type: 'stored';
      readonly tab: string;
      readonly version: number;
      readonly error?: string | undefined;
      readonly refused: readonly string[];
      /** From where the stream has the channels. */
      readonly positions: Announcement['channels'];
    }
  | { readonly type: 'reconnect' }
  | { readonly type: 'close' };
