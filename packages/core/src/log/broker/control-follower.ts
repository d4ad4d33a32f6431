import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';
import type { ChannelWaiter } from '../listener.ts';
import type { Log } from '../log.ts';
import { CONTROL_CHANNEL, type Page } from './broker.ts';

/** What receives the control messages of other processes. */
export interface ControlListener {
  /** Called with each control message, once, in the order of the log. */
  onControl: (entry: Entry) => void;
  /** Called when control messages are lost for good: any stream may have been meant. */
  onControlLost: () => void;
}

/** ms that a broker may take to start. Messages that were trimmed are older than that. */
const LONGEST_START = 10_000;

/**
 * Follows the control channel of a broker, and passes on each message once.
 *
 * The channel is opened like any other, and read again after a loss. So a message arrives through the log, or in the
 * page of such a read, or in both. Newer messages may arrive before the page. They are passed on at once, because newer
 * events are delivered before the page, too.
 */
export class ControlFollower {
  readonly #log: Log;
  readonly #load: (waiter: ChannelWaiter) => void;
  readonly #listener: ControlListener;
  /** Every message up to here has been passed on. */
  #upTo: Position = 0;
  /** Messages that have arrived since while the channel was read: the page may have older ones. */
  readonly #early = new Set<Position>();
  /** Messages are missing, and the listener knows it. */
  #isLossReported = false;

  /** @param load reads the channels that a waiter lacks from the broker. */
  constructor(log: Log, load: (waiter: ChannelWaiter) => void, listener: ControlListener) {
    this.#log = log;
    this.#load = load;
    this.#listener = listener;
    log.onControl = entry => this.#take(entry);
  }

  /**
   * Opens the channel, from its first retained message: streams may have been opened before the hub began, and the
   * messages of that time are older than the position at which this process begins.
   *
   * @param waited ms since the hub began to wait for the broker.
   */
  follow(waited: number): void {
    this.#isLossReported = waited < LONGEST_START;
    this.#open(0);
  }

  /** Opens the channel of a new epoch. The messages between the two epochs are lost. */
  startOver(): void {
    this.#isLossReported = false;
    this.#open(this.#log.origin);
    this.#listener.onControlLost();
  }

  #open(after: Position): void {
    this.#upTo = after;
    this.#early.clear();
    const channel = this.#log.channels.get(CONTROL_CHANNEL);
    // In a new epoch there is another channel of this name, with a waiter of its own.
    const isMissing = () => {
      return channel === this.#log.channels.find(CONTROL_CHANNEL) && channel.lacks(this.#upTo);
    };
    const waiter: ChannelWaiter = {
      wants: () => new Map(isMissing() ? [[CONTROL_CHANNEL, this.#upTo]] : []),
      loaded: () => {},
    };
    const lose = () => {
      this.#isLossReported = true;
      // Not once they have been read again: newer events would be delivered before.
      this.#listener.onControlLost();
      this.#load(waiter);
    };
    channel.listeners.add({ catchUp() {}, startOver() {}, lose });
    this.#load(waiter);
  }

  /** Passes on the messages of a page that did not arrive through the log. */
  catchUp({ entries, trimmedUpTo }: Page): void {
    // The page was read after `#upTo`: a higher trimmed position means that messages in between are missing.
    if (trimmedUpTo > this.#upTo) {
      this.#upTo = trimmedUpTo;
      if (!this.#isLossReported) this.#listener.onControlLost();
    }
    this.#isLossReported = false;
    const missed = entries.filter(({ kind, position }) => kind === 'control' && this.#isNew(position));
    this.#upTo = Math.max(this.#upTo, entries.at(-1)?.position ?? 0, ...this.#early);
    this.#early.clear();
    for (const entry of missed) this.#listener.onControl(entry);
  }

  /** Passes on a message that has arrived through the log. */
  #take(entry: Entry): void {
    const { position } = entry;
    if (!this.#isNew(position)) return;
    if (this.#log.channels.find(CONTROL_CHANNEL)?.isOpen) this.#upTo = position;
    else this.#early.add(position);
    this.#listener.onControl(entry);
  }

  #isNew(position: Position): boolean {
    return position > this.#upTo && !this.#early.has(position);
  }
}
