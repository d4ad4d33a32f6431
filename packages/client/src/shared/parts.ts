import type { Connection, Receiver } from '../connection/connection.ts';
import type { Liveness } from '../connection/liveness.ts';
import type { Control } from '../control/control.ts';
import type { CreateTabs } from './tabs.ts';

/** What the root of the package passes: it is loaded before this file, and holds the code of both. */
export interface Parts {
  /** The name of the lock and the channel. */
  readonly name: string;
  /** After which to begin. */
  readonly position: string;
  createConnection(receiver: Receiver): Connection;
  createLiveness(onSilent: () => void): Liveness;
  readonly receiver: Receiver;
  readonly control: Control | undefined;
  /** If there is a control. */
  readonly createTabs: CreateTabs | undefined;
  /** Closes this tab's client: another tab has closed all. */
  close(): void;
}

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** The types of Node.js are others. */
export const scope = globalThis as unknown as { BroadcastChannel: new (name: string) => Channel };
