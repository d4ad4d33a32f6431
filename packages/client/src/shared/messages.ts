import type { RawEvent } from '../connection/connection.ts';
import type { Announcement } from '../control/control.ts';
import type { StreamChannels } from '../control/stream-channels.ts';
import type { State } from '../events.ts';

/** An event that the leader relays. */
export interface RelayedEvent extends RawEvent {
  /** Its id is not newer than the leader's position, such as that of a `reset`. Receiving tabs take over the id. */
  readonly isNotice: boolean;
}

/** The events that the leader has received since its last relay. */
export interface Relay {
  readonly type: 'relay';
  readonly term: number;
  /** The number of the relay in its term, from 1. */
  readonly n: number;
  /** The leader's position before and after the events. */
  readonly before: string;
  readonly after: string;
  readonly events: readonly RelayedEvent[];
  readonly state: State;
  readonly error: string | undefined;
  /** ms without a relay after which the leader counts as dead. */
  readonly silence: number | undefined;
  /** The channels that were added to the stream through the control route. */
  readonly channels: StreamChannels | undefined;
}

/** The messages between tabs. */
export type Message =
  | Relay
  /**
   * A tab has joined. The leader sends a relay. If the tab knows a newer term, the leader's term increases above it.
   */
  | { readonly type: 'joined'; readonly term: number }
  /** There is a new leader. All tabs send their positions. */
  | { readonly type: 'elected'; readonly term: number }
  | { readonly type: 'position'; readonly term: number; readonly id: string }
  /** The channels of a tab have changed. */
  | (Announcement & { readonly type: 'channels'; readonly tab: string })
  /** The channels of a tab were added to the stream, or were refused by the server. */
  | {
      readonly type: 'stored';
      readonly tab: string;
      readonly version: number;
      readonly error?: string | undefined;
      readonly refused: readonly string[];
      /** The positions after which the channels begin. */
      readonly positions: Announcement['channels'];
    }
  | { readonly type: 'reconnect' }
  | { readonly type: 'close' };
