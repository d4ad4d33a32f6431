import type { Connection } from './connection.ts';
import type { Received } from './received.ts';
import { type ReceivedEvent, show, soFar } from './received-event.ts';
import { CallSequence, type Waits } from './waits.ts';

/** What a cursor needs of its client. */
interface Source {
  /** The newest connection. */
  readonly connection: Connection | undefined;
  readonly isClosed: boolean;
}

/** Returns the received events and comments of a client, each once. */
export class EventCursor {
  readonly #received: Received;
  readonly #waits: Waits;
  readonly #source: Source;
  /** Number of events that were returned or skipped. */
  #taken = 0;
  /** Number of comments that were returned. */
  #comments = 0;
  /** Separate sequences, so that a test can await an event and a comment at the same time. */
  readonly #eventCalls = new CallSequence();
  readonly #commentCalls = new CallSequence();

  constructor(received: Received, waits: Waits, source: Source) {
    this.#received = received;
    this.#waits = waits;
    this.#source = source;
  }

  next(name?: string): Promise<ReceivedEvent> {
    return this.#eventCalls.run(async () => {
      await this.#arrival();
      return this.#take(name);
    });
  }

  until(wanted: string | ((event: ReceivedEvent) => boolean)): Promise<ReceivedEvent> {
    const isWanted = typeof wanted === 'function' ? wanted : ({ event }: ReceivedEvent) => event === wanted;
    const find = () => this.#events.findIndex((event, index) => index >= this.#taken && isWanted(event));
    return this.#eventCalls.run(async () => {
      await this.#waits.until(() => find() !== -1 || this.#isExhausted);
      const index = find();
      const name = typeof wanted === 'function' ? 'wanted event' : `event ${JSON.stringify(wanted)}`;
      if (index === -1) throw new Error(this.#whyNone(name));
      this.#taken = index + 1;
      return this.#events[index] as ReceivedEvent;
    });
  }

  nextComment(): Promise<string> {
    const { comments } = this.#received;
    return this.#commentCalls.run(async () => {
      await this.#waits.until(() => this.#comments < comments.length || this.#isExhausted);
      const comment = comments[this.#comments];
      if (comment === undefined) throw new Error(this.#whyNone('comment'));
      this.#comments++;
      return comment;
    });
  }

  /** The next event. Undefined if all events were returned and the response has ended properly. */
  nextUntilEnd(): Promise<ReceivedEvent | undefined> {
    return this.#eventCalls.run(async () => {
      await this.#arrival();
      const { connection } = this.#source;
      const isOver = this.#taken === this.#events.length && connection?.end === 'complete';
      if (isOver && (connection?.isStream || connection?.status === 204)) return undefined;
      return this.#take();
    });
  }

  get #events(): readonly ReceivedEvent[] {
    return this.#received.events;
  }

  get #isExhausted(): boolean {
    return this.#source.connection?.isExhausted === true;
  }

  #arrival(): Promise<void> {
    return this.#waits.until(() => this.#taken < this.#events.length || this.#isExhausted);
  }

  #take(name?: string): ReceivedEvent {
    const event = this.#events[this.#taken];
    const wanted = name === undefined ? 'event' : `event ${JSON.stringify(name)}`;
    if (event === undefined) throw new Error(this.#whyNone(wanted));
    if (name !== undefined && event.event !== name) {
      const before = soFar(this.#events.slice(0, this.#taken));
      throw new Error(`expected the ${wanted}, but the next event is ${show(event)}; ${before}`);
    }
    this.#taken++;
    return event;
  }

  #whyNone(wanted: string): string {
    const { isClosed, connection } = this.#source;
    if (isClosed) return `the client was closed before the ${wanted}; ${soFar(this.#events)}`;
    return connection?.whyNone(wanted, this.#waits.limit) ?? '';
  }
}
