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
  /** Messages have positions of their own. */
  readonly isRemote: boolean;
  /** Asks again whether a stream may follow its channels. */
  readonly recheck: (stream: Stream) => void;
}

/**
 * Applies control messages to the streams that were open at their position.
 *
 * Whether a stream was open then is unknown in two cases: it was opened before the broker had told where the log is;
 * or its client came with an id that this process had not reached, as it may be behind. If a message would change
 * the subscriptions of such a stream, the stream ends. Its client reconnects, and the application decides again.
 */
export class Membership {
  readonly #options: MembershipOptions;
  /** For streams whose subscriptions were changed, by channel: the position of the newest change. */
  readonly #changed = new WeakMap<Stream, Map<string, Position>>();

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  apply(message: MembershipMessage, position: Position): void {
    for (const stream of this.#options.clients.find(message)) {
      if (this.#isLater(stream, position)) continue;
      // Also one that closes: it was to receive everything up to a later position.
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
    if (!this.#isUnclear(stream, position))
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
   * Records a change, and returns the channels that no newer change has named. A newer one may arrive first, while lost
   * messages are read again.
   */
  #takeUnchanged(stream: Stream, channels: readonly string[], position: Position): readonly string[] {
    if (!this.#options.isRemote) return channels;
    const changed = this.#changed.get(stream) ?? new Map<string, Position>();
    this.#changed.set(stream, changed);
    const due = channels.filter(name => (changed.get(name) ?? 0) < position);
    for (const name of due) {
      // The latest last.
      changed.delete(name);
      changed.set(name, position);
    }
    // What is read again has no more messages than are retained.
    for (const name of changed.keys()) {
      if (changed.size <= CONTROL_SETTINGS.events) break;
      changed.delete(name);
    }
    return due;
  }

  /** The stream was opened after the message. */
  #isLater({ openedAt }: Stream, position: Position): boolean {
    return this.#options.isRemote && openedAt !== undefined && position <= openedAt;
  }

  #isUnclear({ openedAt, lastEventId }: Stream, position: Position): boolean {
    const { isRemote, log } = this.#options;
    if (!isRemote) return false;
    return openedAt === undefined ? position <= log.origin : position <= (log.positionIn(lastEventId) ?? 0);
  }
}
