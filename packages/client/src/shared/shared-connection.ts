import type { Liveness } from '../connection/liveness.ts';
import type { State } from '../events.ts';
import { Leading, MESSAGE_TIMEOUT } from './leading.ts';
import { Lock } from './lock.ts';
import type { Message, Relay } from './messages.ts';
import { OwnConnection } from './own-connection.ts';
import { type Channel, type Parts, scope } from './parts.ts';
import { Reception } from './reception.ts';
import type { Role, Tabs } from './tabs.ts';

/** Maximum number of relays that are buffered while a tab catches up. */
const MAX_BUFFERED = 1_000;

/**
 * One connection for all tabs. The tab with the lock has the connection, and relays its events to the others.
 *
 * | role        | connection       | what it does                                                     | next                              |
 * | ----------- | ---------------- | ---------------------------------------------------------------- | --------------------------------- |
 * | `joining`   | none             | waits for a relay or the lock                                    | any                               |
 * | `catching`  | its own          | receives events before the leader's position, buffers relays     | `following` when the two overlap, |
 * |             |                  |                                                                  | or there is a new leader          |
 * | `following` | none             | delivers relays                                                  | `catching` at a gap; `leading`    |
 * | `leading`   | that of all tabs | collects positions, resumes from the oldest, relays              | `joining` when the lock is stolen |
 * | `away`      | none             | the page is frozen or was left                                   | `joining`                         |
 *
 * Each tab has its own position, and drops events that it has received before. Relays of an earlier term are ignored.
 */
export class SharedConnection {
  state: State = 'connecting';
  error: Error | undefined;
  readonly #parts: Parts;
  readonly #liveness: Liveness;
  readonly #lock: Lock;
  readonly #tabs: Tabs | undefined;
  readonly #reception: Reception;
  #role: Role = 'away';
  #channel: Channel | undefined;
  /** Set in the roles `leading` and `catching`. */
  #own: OwnConnection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The term of the newest known leader. */
  #term = 0;
  /** ms without a relay after which the leader counts as dead. */
  #silence: number | undefined;
  #leading: Leading | undefined;
  /** Set in the role `catching`: the relays that the leader has sent meanwhile. */
  #buffered!: Relay[];

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#reception = new Reception(parts);
    this.#liveness = parts.createLiveness(() => {
      this.#liveness.stop();
      // Random, so that one tab is first. Its message `elected` stops the others.
      this.#timer = setTimeout(() => this.#lock.seek(true), Math.random() * MESSAGE_TIMEOUT);
    });
    this.#lock = new Lock(
      parts.name,
      () => this.#lead(),
      () => this.#join(),
    );
    this.#tabs = parts.createTabs?.(message => this.#post(message), Lock);
  }

  get lastEventId(): string {
    return this.#reception.lastEventId;
  }

  reconnect(): void {
    if (this.#role === 'away') this.#join();
    else if (this.#own) this.#own.connection.reconnect();
    else this.#post({ type: 'reconnect' });
  }

  close(isEverywhere?: boolean): void {
    if (isEverywhere) this.#post({ type: 'close' });
    this.#leave('ended');
  }

  suspend(): void {
    this.#leave('waiting');
  }

  wake(): void {
    if (this.#role === 'away') this.#join();
    else if (this.#own) this.#own.connection.wake();
    else this.#liveness.check();
  }

  #leave(state: State): void {
    this.#become('away');
    this.#lock.release();
    this.#channel?.close();
    this.#channel = undefined;
    this.#show(state);
  }

  #join(): void {
    this.#become('joining');
    if (!this.#channel) {
      this.#channel = new scope.BroadcastChannel(this.#parts.name);
      this.#channel.onmessage = ({ data }) => this.#onMessage(data as Message);
    }
    this.#lock.seek();
    this.#sendJoined();
    this.#timer = setTimeout(() => this.#catchUp(), MESSAGE_TIMEOUT);
    this.#show('connecting');
  }

  /** Sends the newest known term. The leader may not know it, if another tab had the lock only briefly. */
  #sendJoined(): void {
    this.#post({ type: 'joined', term: this.#term });
  }

  async #lead(): Promise<void> {
    this.#become('leading');
    const leading = new Leading(this.lastEventId, position => this.#connect(position, () => this.#relay()));
    this.#leading = leading;
    this.#term = Math.max(this.#term + 1, Date.now());
    this.#post({ type: 'elected', term: this.#term });
    this.#show('connecting');
    leading.expect(await this.#lock.rivals());
  }

  /** @param relays relays of the leader that do not continue the received events without a gap. */
  #catchUp(...relays: Relay[]): void {
    this.#become('catching');
    this.#buffered = relays;
    this.#connect(this.lastEventId, () => this.#tryToFollow());
  }

  /** @param advanced called after the events of each chunk, and when the state has changed. */
  #connect(position: string, advanced: () => void): void {
    this.#own = new OwnConnection(this.#parts, this.#reception, position, {
      arrived: event => this.#leading?.received(event),
      stateChanged: ({ state, error }) => this.#show(state, error),
      advanced,
    });
    this.#own.connection.reconnect();
  }

  /** Sends a relay. Requires the role `leading` and a connection. */
  #relay(): void {
    const { at, connection } = this.#own as OwnConnection;
    const relay = (this.#leading as Leading).relay(at, {
      term: this.#term,
      state: this.state,
      error: this.error?.message,
      silence: connection.silence,
      channels: this.#parts.control?.channels,
    });
    this.#post(relay);
  }

  #onMessage(message: Message): void {
    const leading = this.#leading;
    const { type } = message;
    this.#tabs?.hear(message);
    if (type === 'close') this.#parts.close();
    else if (leading) {
      if (type === 'reconnect') this.reconnect();
      else if (type === 'joined') {
        if (message.term > this.#term) this.#term = message.term + 1;
        if (this.#own) this.#relay();
      } else if (type === 'position' && message.term === this.#term) leading.add(message.id);
    } else if ((type === 'elected' || type === 'relay') && message.term >= this.#term) {
      this.#term = message.term;
      // The leader is alive, so its lock is not stolen.
      if (this.#role === 'following') clearTimeout(this.#timer);
      if (type === 'elected') this.#onElected();
      else this.#onRelay(message);
    } else if (type === 'elected') this.#sendJoined();
  }

  #onElected(): void {
    this.#post({ type: 'position', term: this.#term, id: this.lastEventId });
    // The leader resumes from the position of this tab, so that it need not catch up. A browser has six connections per
    // origin: with connections of all tabs, none could be left for the leader.
    if (!this.lastEventId && this.#role !== 'following') return;
    this.#become('following');
    this.#liveness.start(this.#silence);
  }

  #onRelay(relay: Relay): void {
    if (this.#role !== 'catching') this.#follow(relay);
    else {
      this.#buffered = [...this.#buffered, relay].slice(-MAX_BUFFERED);
      this.#tryToFollow();
    }
  }

  #follow(relay: Relay): void {
    const { silence, state, error } = relay;
    const isFollowing = this.#role === 'following';
    if (!this.#reception.joins(relay, isFollowing)) {
      this.#catchUp(relay);
      return;
    }
    if (!isFollowing) this.#become('following');
    this.#silence = silence;
    this.#liveness.start(silence);
    this.#reception.take(relay);
    this.#show(state, error ? new Error(error) : undefined);
  }

  /** Follows as soon as a buffered relay continues the received events without a gap. */
  #tryToFollow(): void {
    const first = this.#buffered.findIndex(relay => this.#reception.joins(relay));
    if (first < 0) return;
    this.#become('following');
    for (const relay of this.#buffered.slice(first)) this.#onRelay(relay);
  }

  /** Changes the role. Closes the connection and stops the timers of the previous role. */
  #become(role: Role): void {
    const own = this.#own;
    this.#role = role;
    this.#own = undefined;
    this.#leading?.end();
    this.#leading = undefined;
    clearTimeout(this.#timer);
    this.#liveness.stop();
    if (own) {
      own.close();
      this.#parts.control?.closed();
    }
    this.#tabs?.become(role);
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
