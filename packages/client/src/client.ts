import { Connection, type RawEvent, type Receiver } from './connection.ts';
import { Dispatcher } from './dispatcher.ts';
import type { ReceivedEvent, State } from './events.ts';
import type { ConnectOptions } from './options.ts';
import { watchPage } from './page.ts';
import { PositionStore } from './position-store.ts';

/** ms that a page may be hidden with `pauseWhenHidden: true`. */
const PAUSE_AFTER = 30_000;

/** What `connect` returns. */
export class Client implements Receiver {
  readonly #dispatcher: Dispatcher;
  readonly #connection: Connection;
  readonly #store: PositionStore;
  readonly #unwatch: () => void;
  readonly #signal: AbortSignal | undefined;
  #isClosed = false;

  constructor(url: string, options: ConnectOptions) {
    const { text = [], pauseWhenHidden: pause, signal, storage, lastEventId } = options;
    this.#dispatcher = new Dispatcher(text);
    this.#store = new PositionStore(storage, `tidings:${url}`);
    this.#connection = new Connection(url, options, this);
    this.#signal = signal;
    this.#unwatch = watchPage(
      this.#connection,
      pause === true ? PAUSE_AFTER : pause === false ? undefined : pause,
    );
    signal?.addEventListener('abort', this.close);
    if (signal?.aborted) this.close();
    else this.#start(lastEventId);
  }

  get state(): State {
    return this.#connection.state;
  }

  get error(): Error | undefined {
    return this.#connection.error;
  }

  get lastEventId(): string {
    return this.#connection.lastEventId;
  }

  on(name: string, listener: (value: never) => unknown): () => void {
    return this.#dispatcher.on(name, listener);
  }

  [Symbol.asyncIterator](): AsyncIterator<ReceivedEvent, void, void> {
    return this.#dispatcher.iterate(() => {
      if (this.state === 'failed') throw this.error;
      return this.state === 'ended';
    });
  }

  reconnect(): void {
    if (!this.#isClosed) this.#connection.reconnect();
  }

  // An arrow function, to be a listener of the signal as it is.
  close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#signal?.removeEventListener('abort', this.close);
    this.#unwatch();
    this.#connection.close();
  };

  /** @internal */
  receive(event: RawEvent): void {
    this.#dispatcher.dispatch(event);
  }

  /** @internal */
  arrived(): void {
    this.#store.save(this.lastEventId);
  }

  /** @internal */
  stateChanged(): void {
    this.#dispatcher.emit('state', this.state);
    this.#dispatcher.wake();
  }

  async #start(lastEventId: string | undefined): Promise<void> {
    this.#connection.lastEventId = lastEventId ?? (await this.#store.load());
    this.reconnect();
  }
}
