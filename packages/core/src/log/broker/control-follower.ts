import type { Position } from '../../protocol/event-id.ts';
import type { Entry } from '../entry.ts';
import type { ChannelWaiter } from '../listener.ts';
import type { Log } from '../log.ts';
import { CONTROL_CHANNEL, type Page } from './broker.ts';

/** Receives the control messages of all processes. */
export interface ControlListener {
  /** Called with each control message, once, in the order of the log. */
  onControl: (entry: Entry) => void;
  /** Called when control messages are lost and cannot be read again. They may have named any stream. */
  onControlLost: () => void;
}

/**
 * ms. If the broker has started within this time, the trimmed messages are older than all streams of this process, and
 * their loss need not be reported.
 */
const LONGEST_START = 10_000;

/**
 * Follows the control channel of a broker, and passes each message to the listener once.
 *
 * The channel is opened like any other, and read again after a loss. So a message arrives through the log, in the page
 * of such a read, or both. Newer messages may arrive before the page. They are passed on immediately, because newer
 * events are also delivered before the page arrives.
 */
export class ControlFollower {
  readonly #log: Log;
  readonly #load: (waiter: ChannelWaiter) => void;
  readonly #listener: ControlListener;
  /** Every message up to this position was passed on. */
  #upTo: Position = 0;
  /** Later messages that were passed on while the channel was being read. The page may have older messages. */
  readonly #early = new Set<Position>();
  /** Messages are missing, and `onControlLost` was called, or need not be called. */
  #isLossReported = false;

  /** @param load reads the channels that a waiter lacks. See {@link BrokerSync.load}. */
  constructor(log: Log, load: (waiter: ChannelWaiter) => void, listener: ControlListener) {
    this.#log = log;
    this.#load = load;
    this.#listener = listener;
    log.onControl = entry => this.#take(entry);
  }

  /**
   * Opens the channel, from its first retained message. Streams may have been opened before the broker started, and
   * messages for them are then older than the position at which this process begins.
   *
   * @param waited ms that the start of the broker took.
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
    // In a new epoch there is another channel with this name, which has its own waiter.
    const isMissing = () => {
      return channel === this.#log.channels.find(CONTROL_CHANNEL) && channel.lacks(this.#upTo);
    };
    const waiter: ChannelWaiter = {
      wants: () => new Map(isMissing() ? [[CONTROL_CHANNEL, this.#upTo]] : []),
      channels: () => [channel],
      loaded: () => {},
    };
    const lose = () => {
      this.#isLossReported = true;
      // Reported before the channel is read again: newer events would be delivered in the meantime.
      this.#listener.onControlLost();
      this.#load(waiter);
    };
    channel.listeners.add({ catchUp() {}, startOver() {}, lose });
    this.#load(waiter);
  }

  /** Passes on those messages of a page that did not arrive through the log. */
  catchUp({ entries, trimmedUpTo }: Page): void {
    // The page was requested after `#upTo`. If more was trimmed, messages in between are missing.
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
