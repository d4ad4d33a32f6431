import { Connection, type RawEvent, type Receiver } from './connection.ts';
import type { Control } from './control.ts';
import { Dispatcher } from './dispatcher.ts';
import type { ReceivedEvent, State } from './events.ts';
import { Liveness } from './liveness.ts';
import type { ConnectOptions } from './options.ts';
import { canShare, watchPage } from './page.ts';
import { PositionStore } from './position-store.ts';
import { report } from './report.ts';
import type { SharedConnection } from './shared.ts';

/** ms that a page may be hidden with `pauseWhenHidden: true`. */
const PAUSE_AFTER = 30_000;

/** What `connect` returns. */
export class Client implements Receiver {
  readonly #url: string;
  readonly #options: ConnectOptions;
  readonly #dispatcher: Dispatcher;
  readonly #store: PositionStore;
  readonly #unwatch: () => void;
  #connection: Connection | SharedConnection;
  #control: Control | undefined;
  /** Resolves when the control is loaded, or when there is none. */
  readonly #ready: Promise<void>;
  #isStarted = false;
  #isClosed = false;

  constructor(url: string, options: ConnectOptions) {
    const { text = [], pauseWhenHidden: pause, signal, storage } = options;
    this.#url = url;
    this.#options = options;
    this.#dispatcher = new Dispatcher(text);
    this.#store = new PositionStore(storage, `tidings:${url}`);
    this.#connection = this.#createConnection(this);
    this.#unwatch = watchPage(
      { wake: () => this.#isStarted && this.#connection.wake(), suspend: () => this.#connection.suspend() },
      pause === true ? PAUSE_AFTER : pause === false ? undefined : pause,
    );
    signal?.addEventListener('abort', this.#onAbort);
    if (signal?.aborted) this.close();
    this.#ready = this.#start();
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

  subscribe(channels: string | readonly string[]): Promise<void> {
    return this.#change('subscribe', channels);
  }

  unsubscribe(channels: string | readonly string[]): Promise<void> {
    return this.#change('unsubscribe', channels);
  }

  reconnect(): void {
    if (this.#isStarted && !this.#isClosed) this.#connection.reconnect();
  }

  close({ everywhere = false } = {}): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#unwatch();
    this.#connection.close(everywhere);
  }

  /** @internal */
  receive(event: RawEvent): void {
    if (!this.#isClosed) this.#dispatcher.dispatch(event);
  }

  /** @internal */
  opened(headers: Headers): void {
    this.#control?.opened(headers);
  }

  /** @internal */
  arrived(): void {
    this.#control?.arrived();
    this.#store.save(this.lastEventId);
  }

  /** @internal */
  stateChanged(): void {
    if (this.state !== 'open') this.#control?.closed(this.#isClosed);
    this.#dispatcher.emit('state', this.state);
    this.#dispatcher.wake();
  }

  readonly #onAbort = () => this.close();

  #createConnection(receiver: Receiver): Connection {
    return new Connection(this.#url, this.#options, receiver);
  }

  async #change(how: 'subscribe' | 'unsubscribe', channels: string | readonly string[]): Promise<void> {
    await this.#ready;
    if (!this.#control) throw new Error('there is no `control`');
    return this.#control[how](typeof channels === 'string' ? [channels] : channels);
  }

  async #start(): Promise<void> {
    if (this.#isClosed) return;
    const { control, lastEventId, shared } = this.#options;
    if (control) {
      const { Control } = await import('./control.ts');
      this.#control = new Control(new URL(control, this.#url).href, this.#options, () => this.lastEventId);
    }
    const position = lastEventId ?? (await this.#store.load());
    if (shared && canShare()) {
      // Without that file, a client has its own connection. One that was closed meanwhile stays so.
      const file = await import('./shared.ts').catch(report);
      if (file && !this.#isClosed) {
        this.#connection = new file.SharedConnection({
          name: `tidings:${shared === true ? this.#url : shared}`,
          createConnection: receiver => this.#createConnection(receiver),
          createLiveness: onSilent => new Liveness(onSilent),
          receiver: this,
          close: () => this.close(),
        });
      }
    }
    this.#connection.lastEventId = position;
    this.#isStarted = true;
    this.reconnect();
  }
}
