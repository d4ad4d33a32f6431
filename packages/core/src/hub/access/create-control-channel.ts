import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Stream } from '../../stream/stream.ts';
import type { Clients } from '../clients.ts';
import { ControlChannel } from './control-channel.ts';
import { Membership } from './membership.ts';

/** The parts of a hub that control messages change. */
export interface ControlTargets {
  readonly log: Log;
  /** Absent: the log is in this process. */
  readonly queue: PublishQueue | undefined;
  readonly clients: Clients<Stream>;
  /** Calls `authorize` again for the channels of a stream. */
  readonly recheck: (stream: Stream) => void;
  /** Stops the sources that publish to a channel. */
  readonly stop: (channel: string, position: Position) => void;
  /** Called when a process asks for the stats of all processes. */
  readonly describe: (isOwn: boolean) => void;
}

/** Creates the control channel of a hub. */
export function createControlChannel(targets: ControlTargets): ControlChannel {
  const { log, queue, clients, recheck, stop, describe } = targets;
  const membership = new Membership({ log, clients, isRemote: queue !== undefined, recheck });
  return new ControlChannel(log, queue, (message, position, isOwn) => {
    // The hub has applied its own `recheck` and `stop` synchronously, when they were sent.
    const isApplied = isOwn && (message.type === 'recheck' || message.type === 'stop');
    if (isApplied) return;
    if (message.type === 'describe') describe(isOwn);
    else if (message.type === 'stop') stop(message.channel, position);
    else membership.apply(message, position);
  });
}
