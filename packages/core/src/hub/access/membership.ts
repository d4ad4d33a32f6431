import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { changeSubscriptions } from '../../stream/channels/subscribing.ts';
import { RETRY_AFTER_LOSS, randomBetween } from '../../stream/retry.ts';
import type { Stream } from '../../stream/stream.ts';
import type { Clients } from '../clients.ts';
import { CONTROL_SETTINGS, type ControlMessage } from '../control.ts';

/** A message that names streams. */
type MembershipMessage = Exclude<ControlMessage, { type: 'stop' | 'describe' }>;

export interface MembershipOptions {
  readonly log: Log;
  readonly clients: Clients<Stream>;
  /** The hub has a broker, which gives each message a position. */
  readonly isRemote: boolean;
  /** Calls `authorize` again for the channels of a stream. */
  readonly recheck: (stream: Stream) => void;
}

/**
 * Applies control messages to the streams that were open at the message's position.
 *
 * In two cases it is unknown whether a stream was open at a position: the stream was opened before the broker had
 * returned the position of its log; or the client's last id is newer than the head of this process, which may be behind
 * other processes. If a message would change the subscriptions of such a stream, the stream ends. Its client
 * reconnects, and the application subscribes the new stream.
 */
export class Membership {
  readonly #options: MembershipOptions;
  /** For each stream: the position of the newest change of each channel. */
  readonly #changed = new WeakMap<Stream, Map<string, Position>>();

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  apply(message: MembershipMessage, position: Position): void {
    for (const stream of this.#options.clients.find(message)) {
      if (this.#isLater(stream, position)) continue;
      // Also for a closing stream, which may still deliver entries up to a later position.
      if (message.type === 'disconnect') stream.end('closed', { after: position });
      else if (!stream.isOpen) continue;
      else if (message.type === 'recheck') this.#options.recheck(stream);
      else this.#change(stream, message, position);
    }
  }

  #change(
    stream: Stream,
    message: Extract<MembershipMessage, { type: 'subscribe' | 'unsubscribe' }>,
    position: Position,
  ): void {
    const { type } = message;
    const options = message.type === 'subscribe' ? message.options : {};
    const channels = this.#takeUnchanged(stream, message.channels, position);
    if (channels.length === 0) return;
    if (!this.#isAmbiguous(stream, position))
      changeSubscriptions(stream, { type, channels, options, position });
    else if (
      channels.some(
        name => (stream.response.delivery?.subscriptions.has(name) === true) === (type === 'unsubscribe'),
      )
    ) {
      stream.end('closed', { retry: randomBetween(RETRY_AFTER_LOSS) });
    }
  }

  /**
   * Records a change, and returns those of its channels that have no newer change. A newer change may arrive first,
   * while lost messages are being read again.
   */
  #takeUnchanged(stream: Stream, channels: readonly string[], position: Position): readonly string[] {
    if (!this.#options.isRemote) return channels;
    const changed = this.#changed.get(stream) ?? new Map<string, Position>();
    this.#changed.set(stream, changed);
    const due = channels.filter(name => (changed.get(name) ?? 0) < position);
    for (const name of due) {
      // Moves the channel to the end: the map is in the order of the changes.
      changed.delete(name);
      changed.set(name, position);
    }
    // A repeated read has at most as many messages as the control channel retains.
    for (const name of changed.keys()) {
      if (changed.size <= CONTROL_SETTINGS.events) break;
      changed.delete(name);
    }
    return due;
  }

  /** The stream was opened after the message was stored. */
  #isLater({ openedAt }: Stream, position: Position): boolean {
    return this.#options.isRemote && openedAt !== undefined && position <= openedAt;
  }

  /** It is unknown whether the stream was open at the position. */
  #isAmbiguous({ openedAt, lastEventId }: Stream, position: Position): boolean {
    const { isRemote, log } = this.#options;
    if (!isRemote) return false;
    return openedAt === undefined ? position <= log.origin : position <= (log.positionIn(lastEventId) ?? 0);
  }
}
