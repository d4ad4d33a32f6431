import type { Connection, Receiver } from '../connection/connection.ts';
import type { Liveness } from '../connection/liveness.ts';
import type { Control } from '../control/control.ts';
import type { CreateTabs } from './tabs.ts';

/**
 * Dependencies that the entry of the package passes. The entry already contains their code, so that the file of the
 * shared connection does not need it, too.
 */
export interface Parts {
  /** The name of the lock and the BroadcastChannel. */
  readonly name: string;
  /** The position after which the client begins. */
  readonly position: string;
  createConnection(receiver: Receiver): Connection;
  createLiveness(onSilent: () => void): Liveness;
  readonly receiver: Receiver;
  readonly control: Control | undefined;
  /** Set if there is a control. */
  readonly createTabs: CreateTabs | undefined;
  /** Closes the client of this tab. Called when another tab has closed the clients of all tabs. */
  close(): void;
}

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** The global object with the browser's type of BroadcastChannel, which differs from that of Node.js. */
export const scope = globalThis as unknown as { BroadcastChannel: new (name: string) => Channel };
