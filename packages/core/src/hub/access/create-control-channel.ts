import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import type { Stream } from '../../stream/stream.ts';
import type { Clients } from '../clients.ts';
import { ControlChannel } from './control-channel.ts';
import { Membership } from './membership.ts';

/** What control messages change in a hub. */
export interface ControlTargets {
  readonly log: Log;
  /** Absent: the log is in this process. */
  readonly queue: PublishQueue | undefined;
  readonly clients: Clients<Stream>;
  /** Asks again whether a stream may follow its channels. */
  readonly recheck: (stream: Stream) => void;
  /** Stops the sources that publish to a channel. */
  readonly stop: (channel: string, position: Position) => void;
  /** A process asks for the stats of all processes. */
  readonly describe: (isOwn: boolean) => void;
}

/** Creates the control channel of a hub. */
export function createControlChannel(targets: ControlTargets): ControlChannel {
  const { log, queue, clients, recheck, stop, describe } = targets;
  const membership = new Membership({ log, clients, isRemote: queue !== undefined, recheck });
  return new ControlChannel(log, queue, (message, position, isOwn) => {
    // A hub asks again at once when it is told to, and stops its own sources. It does not do so once more when its own
    // message arrives.
    const isDone = isOwn && (message.type === 'recheck' || message.type === 'stop');
    if (isDone) return;
    if (message.type === 'describe') describe(isOwn);
    else if (message.type === 'stop') stop(message.channel, position);
    else membership.apply(message, position);
  });
}
