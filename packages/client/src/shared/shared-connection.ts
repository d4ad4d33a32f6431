import type { Connection, Receiver } from '../connection.ts';
import type { State } from '../events.ts';
import type { Liveness } from '../liveness.ts';
import { Leadership } from './leadership.ts';
import type { Message, Relay, RelayedEvent } from './messages.ts';
import { compare } from './position.ts';

/** What the root of the package passes: it is loaded before this file, and holds the code of both. */
export interface Parts {
  /** The name of the lock and the channel. */
  readonly name: string;
  createConnection(receiver: Receiver): Connection;
  createLiveness(onSilent: () => void): Liveness;
  readonly receiver: Receiver;
  /** Closes this tab's client: another tab has closed all. */
  close(): void;
}

type Role = 'away' | 'joining' | 'catching' | 'following' | 'leading';

/** ms to wait for what other tabs send. They may be frozen. */
const PATIENCE = 300;
/** Stands for the position of a leader that has received events without ids: it is not known what a tab lacks. */
const WITHOUT_IDS = '?';
/** Relays that are kept while a tab catches up. */
const KEPT = 1_000;

/** The part of a BroadcastChannel that is used. */
interface Channel {
  onmessage: ((event: { data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

const scope = globalThis as unknown as { BroadcastChannel: new (name: string) => Channel };

/**
 * One connection for all tabs. The tab that has the lock has the connection, and relays what arrives.
 *
 * | role        | connection       | what it does                                                     | next                              |
 * | ----------- | ---------------- | ---------------------------------------------------------------- | --------------------------------- |
 * | `joining`   | none             | waits for a relay or the lock                                    | any                               |
 * | `catching`  | its own          | receives what is older than the leader's position, keeps relays  | `following` when the two overlap, |
 * |             |                  |                                                                  | or there is a new leader          |
 * | `following` | none             | delivers relays                                                  | `catching` at a gap; `leading`    |
 * | `leading`   | that of all tabs | asks all for positions, resumes from the oldest, relays          | `joining` when the lock is stolen |
 * | `away`      | none             | the page is frozen or was left                                   | `joining`                         |
 *
 * Each tab has its own position and drops what it has received before. Relays of an earlier term are ignored.
 */
export class SharedConnection {
  state: State = 'connecting';
  error: Error | undefined;
  lastEventId = '';
  readonly #parts: Parts;
  readonly #liveness: Liveness;
  readonly #leadership: Leadership;
  #role: Role = 'away';
  #channel: Channel | undefined;
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Of the newest leader. */
  #term = 0;
  /** The number of the last relay: the one that was sent, or the one that was delivered. */
  #n = 0;
  /** Of a leader: where its last relay ended, what has arrived since, and the positions of the other tabs. */
  #relayedTo = '';
  #batch: RelayedEvent[] = [];
  #positions: string[] = [];
  #rivals = Number.NaN;
  /** Where the connection is. */
  #at = () => '';
  /** ms without a relay after which the leader is dead. */
  #silence: number | undefined;
  /** Of a tab that catches up. */
  #kept: Relay[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#liveness = parts.createLiveness(() => {
      this.#liveness.stop();
      // One of the tabs is first. Its word stops the others.
      this.#timer = setTimeout(() => this.#leadership.seek(true), Math.random() * PATIENCE);
    });
    const join = () => this.#join();
    this.#leadership = new Leadership(parts.name, () => this.#lead(), join);
  }

  reconnect(): void {
    if (this.#role === 'away') this.#join();
    else if (this.#connection) this.#connection.reconnect();
    else this.#post({ type: 'reconnect' });
  }

  close(isEverywhere = false): void {
    if (isEverywhere) this.#post({ type: 'close' });
    this.#leave('ended');
  }

  suspend(): void {
    this.#leave('waiting');
  }

  wake(): void {
    if (this.#role === 'away') this.#join();
    else if (this.#connection) this.#connection.wake();
    else this.#liveness.check();
  }

  #leave(state: State): void {
    this.#become('away');
    this.#leadership.release();
    this.#channel?.close();
    this.#channel = undefined;
    this.#show(state);
  }

  #join(): void {
    this.#become('joining');
    if (!this.#channel) {
      this.#channel = new scope.BroadcastChannel(this.#parts.name);
      this.#channel.onmessage = ({ data }) => this.#hear(data as Message);
    }
    this.#leadership.seek();
    this.#post({ type: 'joined' });
    this.#timer = setTimeout(() => this.#catchUp(), PATIENCE);
    this.#show('connecting');
  }

  async #lead(): Promise<void> {
    this.#become('leading');
    const term = Math.max(this.#term + 1, Date.now());
    this.#term = term;
    this.#n = 0;
    this.#batch = [];
    this.#positions = [];
    this.#rivals = Number.NaN;
    this.#post({ type: 'elected', term });
    this.#timer = setTimeout(() => this.#resume(), PATIENCE);
    this.#show('connecting');
    const rivals = await this.#leadership.rivals();
    if (this.#term === term) this.#rivals = rivals;
    this.#resumeIfComplete();
  }

  #resumeIfComplete(): void {
    if (this.#role === 'leading' && !this.#connection && this.#positions.length >= this.#rivals)
      this.#resume();
  }

  /** Connects where the tab that is furthest behind is, so that none has a gap. */
  #resume(): void {
    clearTimeout(this.#timer);
    this.#relayedTo = this.#positions.reduce((a, b) => (compare(b, a) < 0 ? b : a), this.lastEventId);
    this.#connect(this.#relayedTo, () => this.#relay());
  }

  /** @param relays what has arrived from the leader, and does not join what this tab has. */
  #catchUp(...relays: Relay[]): void {
    this.#become('catching');
    this.#kept = relays;
    this.#connect(this.lastEventId, () => this.#tryToFollow());
  }

  /** @param onProgress is called after what has arrived together, and when the state has changed. */
  #connect(position: string, onProgress: () => void): void {
    let at = position;
    const ifCurrent = (run: () => void) => {
      if (this.#connection === connection) run();
    };
    const connection: Connection = this.#parts.createConnection({
      receive: event =>
        ifCurrent(() => {
          const relayed = { ...event, isNotice: event.id === at };
          at = event.id || at || WITHOUT_IDS;
          if (this.#role === 'leading') this.#batch.push(relayed);
          this.#deliver(relayed);
        }),
      arrived: () =>
        ifCurrent(() => {
          at = connection.lastEventId || at;
          this.#moveTo(at);
          onProgress();
        }),
      stateChanged: () =>
        ifCurrent(() => {
          this.#show(connection.state, connection.error);
          ifCurrent(onProgress);
        }),
    });
    this.#at = () => at;
    this.#connection = connection;
    connection.lastEventId = position;
    connection.reconnect();
  }

  /** Leader: sends what has arrived, or a sign of life. */
  #relay(): void {
    const relay = {
      term: this.#term,
      n: ++this.#n,
      before: this.#relayedTo,
      after: this.#at(),
      events: this.#batch,
      state: this.state,
      error: this.error?.message,
      silence: this.#connection?.silence,
    };
    this.#batch = [];
    this.#relayedTo = relay.after;
    this.#post({ type: 'relay', ...relay });
  }

  #hear(message: Message): void {
    const isLeading = this.#role === 'leading';
    if (message.type === 'close') this.#parts.close();
    else if (message.type === 'reconnect') isLeading && this.#connection?.reconnect();
    else if (message.type === 'joined') isLeading && this.#connection && this.#relay();
    else if (message.type === 'position') {
      if (message.term === this.#term) this.#positions.push(message.id);
      this.#resumeIfComplete();
    } else if (!isLeading && message.term >= this.#term) {
      if (message.term > this.#term) this.#n = Number.NaN;
      this.#term = message.term;
      // The leader lives: its lock is not taken.
      if (this.#role === 'following') clearTimeout(this.#timer);
      if (message.type === 'elected') {
        // The leader resumes where this tab is. A connection of its own would be one of six that a browser has, and the
        // leader could be without.
        if (this.lastEventId) this.#become('following');
        if (this.#role === 'following') this.#liveness.start(this.#silence);
        this.#post({ type: 'position', term: message.term, id: this.lastEventId });
      } else if (this.#role !== 'catching') this.#follow(message);
      else {
        this.#kept = [...this.#kept, message].slice(-KEPT);
        this.#tryToFollow();
      }
    }
  }

  #follow(relay: Relay): void {
    const isNext = this.#role === 'following' && relay.n === this.#n + 1;
    if (!isNext && !(compare(this.lastEventId, relay.before) >= 0)) {
      this.#catchUp(relay);
      return;
    }
    if (this.#role !== 'following') this.#become('following');
    this.#n = relay.n;
    this.#silence = relay.silence;
    this.#liveness.start(relay.silence);
    for (const event of relay.events) this.#deliver(event);
    this.#moveTo(relay.after);
    this.#parts.receiver.arrived();
    this.#show(relay.state, relay.error === undefined ? undefined : new Error(relay.error));
  }

  /** Follows as soon as the relays that are kept join what this tab has. */
  #tryToFollow(): void {
    const first = this.#kept.findIndex(({ before }) => compare(this.lastEventId, before) >= 0);
    if (first === -1) return;
    const relays = this.#kept.slice(first);
    this.#n = Number.NaN;
    this.#become('following');
    for (const relay of relays) {
      if (this.#role === 'catching') this.#kept.push(relay);
      else this.#follow(relay);
    }
  }

  #deliver({ isNotice, ...event }: RelayedEvent): void {
    const { id } = event;
    if (!isNotice && id !== undefined && compare(id, this.lastEventId) <= 0) return;
    // After a reset, what follows its id is received again.
    if (id !== undefined) this.lastEventId = id;
    this.#parts.receiver.receive(event);
  }

  /** Not back; but from a position to a backfill at the same, and to another epoch. */
  #moveTo(id: string): void {
    if (id !== WITHOUT_IDS && !(compare(id, this.lastEventId) <= -1)) this.lastEventId = id;
  }

  /** Ends what the role before had. */
  #become(role: Role): void {
    const connection = this.#connection;
    this.#role = role;
    this.#connection = undefined;
    this.#kept = [];
    clearTimeout(this.#timer);
    this.#liveness.stop();
    connection?.close();
  }

  #show(state: State, error?: Error): void {
    this.error = error;
    if (this.state === state) return;
    this.state = state;
    this.#parts.receiver.stateChanged();
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message);
  }
}
