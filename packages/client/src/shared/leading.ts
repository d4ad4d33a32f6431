import { compare } from '../position.ts';
import type { Relay, RelayedEvent } from './messages.ts';

/** ms to wait for messages of other tabs. They may be frozen. */
export const MESSAGE_TIMEOUT = 300;

/** One term of the leader, which is the tab with the connection: collects the positions of all tabs, creates relays. */
export class Leading {
  readonly #connect: (position: string) => void;
  readonly #positions: string[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Number of other tabs. Undefined while unknown, so that `length > #expected` is false. */
  #expected!: number;
  /** The position at the end of the last relay. */
  #relayedTo = '';
  #n = 0;
  /** The events since the last relay. */
  readonly #events: RelayedEvent[] = [];

  /**
   * @param position the position of this tab.
   * @param connect called once, with the oldest position of all tabs, so that no tab has a gap.
   */
  constructor(position: string, connect: (position: string) => void) {
    this.#positions = [position];
    this.#connect = connect;
    this.#timer = setTimeout(() => this.#start(), MESSAGE_TIMEOUT);
  }

  /** @param rivals the number of tabs that wait for the lock. */
  expect(rivals: number): void {
    this.#expected = rivals;
    this.add();
  }

  /** Called with the positions of other tabs. */
  add(...positions: string[]): void {
    this.#positions.push(...positions);
    if (this.#timer && this.#positions.length > this.#expected) this.#start();
  }

  #start(): void {
    this.end();
    this.#relayedTo = this.#positions.reduce((a, b) => (compare(b, a) < 0 ? b : a));
    this.#connect(this.#relayedTo);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  received(event: RelayedEvent): void {
    this.#events.push(event);
  }

  /** Creates a relay with the events since the last one. Without events, it shows that the leader is alive. */
  relay(after: string, rest: Pick<Relay, 'term' | 'state' | 'error' | 'silence' | 'channels'>): Relay {
    const before = this.#relayedTo;
    this.#relayedTo = after;
    return { type: 'relay', n: ++this.#n, before, after, events: this.#events.splice(0), ...rest };
  }
}
