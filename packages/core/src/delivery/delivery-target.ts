import type { BrokerSync } from '../log/broker/broker-sync.ts';
import type { Log } from '../log/log.ts';
import type { Comment } from '../protocol/comment.ts';
import type { Frame } from '../protocol/frame.ts';
import type { DeliveryLoop } from './delivery-loop.ts';
import type { ReaderStream } from './reader/reader-stream.ts';
import type { ReplayMeter } from './replay.ts';
import type { AccessTarget } from './subscriptions/channel-access.ts';

/** What the deliveries of a hub share. */
export interface DeliveryContext {
  readonly log: Log;
  readonly loop: DeliveryLoop;
  /** The event name of resets. */
  readonly resetEvent: string;
  /** Absent: the log is in this process. */
  readonly sync: BrokerSync | undefined;
}

/**
 * How the delivery to a stream ends, and with it the stream.
 *
 * - `ended`: its channels have ended, and everything was delivered.
 * - `slow`: entries that it needs were trimmed, and their channel disconnects slow clients ({@link ChannelLog.disconnectsSlow}).
 * - `error`: a snapshot failed.
 * - `closed`: the stream was closed, and what was published before has been delivered.
 * - `cut-short`: the stream was closed, and does not wait for the rest of what was published before.
 * - `lost`: the client has missed events, and receives no resets.
 */
export type DeliveryOutcome = 'ended' | 'slow' | 'error' | 'closed' | 'cut-short' | 'lost';

/** Where a delivery writes. */
export interface DeliverySink {
  /** Whether the next frame is written at once. */
  readonly hasRoom: boolean;
  readonly bufferedBytes: number;
  write(content: Frame | Comment): void;
}

/** The stream that a delivery writes to. */
export interface DeliveryTarget extends ReaderStream {
  readonly context: DeliveryContext;
  readonly lastEventId: string | undefined;
  readonly writer: DeliverySink;
  /** Its client reconnects when it ends: a channel with `overflow: 'disconnect'` may close it for reading slowly. */
  readonly canReconnect: boolean;
  /** The stream begins. The meter counts what it receives until it has caught up. */
  began(replay: ReplayMeter): void;
  /** Absent: it may follow every channel. */
  readonly access?: AccessTarget | undefined;
  report(error: unknown, stage: 'subscribe'): void;
  /** What was sent while the stream was behind has been written. */
  directSendsWritten(): void;
  /** The delivery can begin: the headers may be sent. `isFinished`: there is nothing to deliver, now or later. */
  deliveryReady(isFinished: boolean): void;
  /**
   * The delivery is over, and the stream ends.
   *
   * @param stage where `error` occurred. Default: `subscribe`.
   */
  deliveryOver(outcome: DeliveryOutcome, error?: unknown, stage?: 'subscribe' | 'write'): void;
}
