import { CONTROL_CHANNEL } from '../../log/broker/broker.ts';
import type { PublishQueue } from '../../log/broker/publish-queue.ts';
import type { Entry } from '../../log/entry.ts';
import type { Log } from '../../log/log.ts';
import type { Position } from '../../protocol/event-id.ts';
import { type ControlMessage, controlDraft, readControl } from '../control.ts';

/**
 * Applies a message.
 *
 * @param position nothing after it has been delivered to any stream that was open when it was stored.
 * @param isOwn this hub has sent it.
 */
export type ControlHandler = (message: ControlMessage, position: Position, isOwn: boolean) => void;

/** The control messages of one hub: sends them to the hubs of all processes, itself included, and receives theirs. */
export class ControlChannel {
  readonly #log: Log;
  readonly #queue: PublishQueue | undefined;
  readonly #apply: ControlHandler;
  #sender: string | undefined;

  /** @param queue absent: the log is in this process, and every message is for this hub alone. */
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
   * @returns resolves when it has a position: it is applied there, in every process. Rejects when the broker cannot
   *   store it. Never an unhandled rejection.
   */
  send(message: ControlMessage): Promise<void> {
    const sent = this.store(message).then(() => {});
    // A caller that does not await it must not end the process.
    sent.catch(() => {});
    return sent;
  }

  /** {@link send}, for a caller that awaits it: resolves with the id of the position. */
  async store(message: ControlMessage): Promise<string> {
    if (this.#queue === undefined) {
      this.#apply(message, this.#log.head, true);
      return this.#log.id(this.#log.head);
    }
    const stored = await this.#queue.publish(controlDraft({ ...message, from: this.sender }));
    // Streams that are opened from now on are later than the message.
    return this.#log.acknowledge(...stored);
  }

  /** Takes an entry of the control channel. */
  receive({ channel, data, position }: Entry): void {
    const message = channel === CONTROL_CHANNEL ? readControl(data) : undefined;
    if (message !== undefined) this.#apply(message, position, message.from === this.#sender);
  }
}
