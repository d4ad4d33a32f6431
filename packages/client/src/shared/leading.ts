import { compare } from '../position.ts';
import type { Relay, RelayedEvent } from './messages.ts';

/** ms to wait for what other tabs send. They may be frozen. */
export const PATIENCE = 300;

/** One term of the tab that has the connection: the positions of the other tabs, and what is sent to them. */
export class Leading {
  readonly #connect: (position: string) => void;
  readonly #positions: string[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How many other tabs send theirs. Not set while that is unknown: no number is greater. */
  #expected!: number;
  /** Where the last relay ended. */
  #relayedTo = '';
  #n = 0;
  /** What has arrived since. */
  readonly #events: RelayedEvent[] = [];

  /**
   * @param position of this tab.
   * @param connect is called once, with the position of the tab that is furthest behind: from there, none has a gap.
   */
  constructor(position: string, connect: (position: string) => void) {
    this.#positions = [position];
    this.#connect = connect;
    this.#timer = setTimeout(() => this.#start(), PATIENCE);
  }

  /** @param rivals how many other tabs wait for the lock. */
  expect(rivals: number): void {
    this.#expected = rivals;
    this.add();
  }

  /** Other tabs have sent their positions. */
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

  /** What has arrived since the last relay, or a sign of life. */
  relay(after: string, rest: Pick<Relay, 'term' | 'state' | 'error' | 'silence' | 'channels'>): Relay {
    const before = this.#relayedTo;
    this.#relayedTo = after;
    return { type: 'relay', n: ++this.#n, before, after, events: this.#events.splice(0), ...rest };
  }
}
