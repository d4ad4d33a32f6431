import type { Entry, Position, Sink } from '@tidings/core';
import { type Message, readMessage } from './body.ts';
import { Held } from './held.ts';
import type { Names } from './names.ts';

/** What this node knows of the log, wherever it has it from. */
export interface LogState {
  readonly epoch: string;
  /** The newest position that it knows of. */
  known: Position;
}

export interface InboxEvents {
  /** Something is from an epoch that is not this one; '': somebody says that there is a new one. */
  foreign(epoch: string): void;
  /** Something is missing, and the inbox holds what comes until the log has been read. */
  hole(): void;
}

/** What has come to a channel that is being opened, after the head up to which it was read. */
interface Opening {
  isRead: boolean;
  entries: Entry[];
}

/** Both are called at once. */
interface Expectation {
  arrived(head: Position): void;
  interrupted(): void;
}

/**
 * What comes over the subscription, put in order for the sink: nothing twice, nothing before what came before it,
 * and nothing while something is missing.
 */
export class Inbox {
  /** Everything up to here that has come to open channels has been given. */
  given: Position = 0;
  /** Changes when what was begun before cannot be finished: the connection is gone, or the epoch is over. */
  life = 0;
  /** Channels of which something is missing that is older than `given` may be; and after which position. */
  readonly holes = new Map<string, Position>();
  readonly #sink: Sink;
  readonly #names: Names;
  readonly #log: LogState;
  readonly #events: InboxEvents;
  /** The open channels, and the newest position that is known of each. */
  readonly #open = new Map<string, Position>();
  readonly #opening = new Map<string, Opening>();
  readonly #expected = new Map<string, Expectation>();
  #isHolding = true;
  readonly #held = new Held();

  constructor(sink: Sink, names: Names, log: LogState, events: InboxEvents) {
    this.#sink = sink;
    this.#names = names;
    this.#log = log;
    this.#events = events;
  }

  get isLive(): boolean {
    return !this.#isHolding;
  }

  /** What was held has been dropped: the log must be read once more. */
  get hasOverflowed(): boolean {
    return this.#held.hasOverflowed;
  }

  get channels(): ReadonlyMap<string, Position> {
    return this.#open;
  }

  receive(name: string, text: string): void {
    if (name === this.#names.node) this.#takeHead(text);
    else if (name === this.#names.notes) this.#takeNote(text);
    else if (this.#isHolding) this.#held.add(name, text);
    else this.#take(name, text);
  }

  /** From now on what comes waits. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Gives what has waited, and goes on live. */
  release(): void {
    if (this.hasOverflowed) {
      this.#events.hole();
      return;
    }
    const held = this.#held.take();
    this.#isHolding = false;
    // At a hole it holds again, and what is left waits again.
    for (const [name, text] of held) this.receive(name, text);
  }

  /** What has waited until now is going to be read from the log. */
  dropHeld(): void {
    this.#held.take();
  }

  /** Calls back when the head with this token comes, or when it cannot come any more. */
  expect(token: string, expectation: Expectation): void {
    this.#expected.set(token, expectation);
  }

  expectNoMore(token: string): void {
    this.#expected.delete(token);
  }

  /** Everything up to `head` has been given. */
  advance(head: Position): void {
    this.given = Math.max(this.given, head);
    this.#sink.seen(this.given);
  }

  /** Gives what was read from the log. Ascending, and after everything that was given before. */
  give(entries: readonly Entry[]): void {
    const wanted = entries.filter(({ channel }) => this.#open.has(channel));
    const last = entries.at(-1);
    if (last === undefined) return;
    this.given = last.position;
    for (const { channel, position } of wanted) this.#open.set(channel, position);
    if (wanted.length > 0) this.#sink.entries(wanted);
  }

  lost(channels: readonly string[]): void {
    const open = channels.filter(channel => this.#open.has(channel));
    if (open.length > 0) this.#sink.lost(open);
  }

  /** Everything of these up to a position is known. */
  know(channels: Iterable<string>, position: Position): void {
    for (const channel of channels) {
      if (this.#open.has(channel)) this.#open.set(channel, position);
      this.holes.delete(channel);
    }
  }

  /** What comes to these is dropped, until `collect`. */
  begin(channels: readonly string[]): void {
    for (const channel of channels) this.#opening.set(channel, { isRead: false, entries: [] });
  }

  /** What comes to these is after what is read of them, and kept until `finish`. */
  collect(channels: readonly string[]): void {
    for (const channel of channels) {
      const opening = this.#opening.get(channel);
      if (opening !== undefined) opening.isRead = true;
    }
  }

  /** Opens a channel. Returns what has come to it since it was read. */
  finish(channel: string, head: Position): Entry[] {
    const entries = this.#opening.get(channel)?.entries ?? [];
    this.#opening.delete(channel);
    this.#open.set(channel, Math.max(head, this.#open.get(channel) ?? 0));
    return entries;
  }

  abandon(channels: readonly string[]): void {
    for (const channel of channels) this.#opening.delete(channel);
  }

  shut(channels: readonly string[]): void {
    for (const channel of channels) this.#open.delete(channel);
  }

  /** The connection is gone. */
  cut(): void {
    this.#interrupt();
    this.#isHolding = true;
    this.dropHeld();
    this.#opening.clear();
  }

  /** The epoch is over: no channel is open. Returns those that were. */
  reset(head: Position): string[] {
    const channels = [...this.#open.keys(), ...this.#opening.keys()];
    this.#interrupt();
    this.given = head;
    this.dropHeld();
    // What is held for is over, too: nothing can be missing where nothing is open.
    this.#isHolding = false;
    this.#open.clear();
    this.#opening.clear();
    this.holes.clear();
    return channels;
  }

  #interrupt(): void {
    this.life += 1;
    for (const { interrupted } of this.#expected.values()) interrupted();
    this.#expected.clear();
  }

  #takeHead(text: string): void {
    const [, token = '', epoch, head] = text.split(' ');
    if (epoch === this.#log.epoch) this.#expected.get(token)?.arrived(Number(head));
  }

  #takeNote(text: string): void {
    if (text === 'epoch') this.#events.foreign('');
    else if (text.startsWith('note ')) this.#sink.note(text.slice('note '.length));
  }

  #take(name: string, text: string): void {
    const message = readMessage(this.#names.channelOf(name), text);
    if (message === undefined) return;
    const { channel, entries } = message;
    if (message.epoch !== this.#log.epoch) {
      this.#events.foreign(message.epoch);
      return;
    }
    const opening = this.#opening.get(channel);
    const last = this.#open.get(channel);
    if (opening?.isRead) opening.entries.push(...entries);
    else if (last !== undefined) this.#order(message, last, name, text);
  }

  #order({ channel, previous, entries }: Message, last: Position, name: string, text: string): void {
    if (previous > last && previous > this.given) {
      this.holes.set(channel, last);
      this.hold();
      this.#held.add(name, text);
      this.#events.hole();
      return;
    }
    const { given } = this;
    const newest = entries.at(-1)?.position ?? 0;
    // They ascend.
    const areNew = newest - given >= entries.length;
    const next = areNew ? entries : entries.filter(({ position }) => position > given);
    const isLate = !areNew && entries.some(({ position }) => position > last && position <= given);
    // Too late to be given in its place.
    if (previous > last || isLate) this.#sink.lost([channel]);
    this.#open.set(channel, Math.max(last, newest));
    if (next.length === 0) return;
    this.given = newest;
    // Should Redis lose it, this node may be all that is left to prove that it was there.
    this.#log.known = Math.max(this.#log.known, newest);
    this.#sink.entries(next);
  }
}
