import { CONTROL_CHANNEL } from '../../log/broker/broker.ts';
import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { Entry } from '../../log/entry.ts';
import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { type ControlMessage, controlDraft, readControl } from '../control.ts';

/**
 * Applies a message.
 *
 * @param position the position of the message. No later entry was delivered to a stream that was open when the message
 *   was stored.
 * @param isOwn whether this hub has sent the message.
 */
export type ControlHandler = (message: ControlMessage, position: Position, isOwn: boolean) => void;

/** Sends the control messages of one hub to the hubs of all processes, including itself, and receives all messages. */
export class ControlChannel {
  readonly #log: Log;
  readonly #queue: PublishQueue | undefined;
  readonly #apply: ControlHandler;
  #sender: string | undefined;

  /** @param queue absent: the log is in this process, and messages are applied by this hub only. */
  constructor(log: Log, queue: PublishQueue | undefined, apply: ControlHandler) {
    this.#log = log;
    this.#queue = queue;
    this.#apply = apply;
  }

  /** Identifies the hub as the sender. Created at first use: Workers allow no randomness at module scope. */
  get sender(): string {
    this.#sender ??= crypto.randomUUID();
    return this.#sender;
  }

  /**
   * Sends a message.
   *
   * @returns a promise that resolves when the message has a position, at which every process applies it. Rejects if the
   *   broker cannot store it. A rejection does not cause an `unhandledRejection`.
   */
  send(message: ControlMessage): Promise<void> {
    const sent = this.store(message).then(() => {});
    // An unhandled rejection would end the process if the caller does not await the promise.
    sent.catch(() => {});
    return sent;
  }

  /** Like {@link send}, but resolves with the id of the position, and the caller must handle a rejection. */
  async store(message: ControlMessage): Promise<string> {
    if (this.#queue === undefined) {
      this.#apply(message, this.#log.head, true);
      return this.#log.id(this.#log.head);
    }
    const stored = await this.#queue.publish(controlDraft({ ...message, from: this.sender }));
    // Acknowledged, so that streams that open from now on have a later position than the message.
    return this.#log.acknowledge(...stored);
  }

  /** Applies an entry of the control channel. */
  receive({ channel, data, position }: Entry): void {
    const message = channel === CONTROL_CHANNEL ? readControl(data) : undefined;
    if (message !== undefined) this.#apply(message, position, message.from === this.#sender);
  }
}
