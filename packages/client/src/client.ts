import { Connection, type RawEvent, type Receiver } from './connection/connection.ts';
import { Liveness } from './connection/liveness.ts';
import type { Control } from './control/control.ts';
import { Dispatcher } from './dispatcher.ts';
import type { ReceivedEvent, State } from './events.ts';
import type { ConnectOptions } from './options.ts';
import { canShare, watchPage } from './page.ts';
import { PositionStore } from './position-store.ts';
import { report } from './report.ts';
import type { SharedConnection } from './shared.ts';

/** ms after which a hidden page disconnects with `pauseWhenHidden: true`. */
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
  /** Resolves when the client has started: the control is loaded, if there is one. */
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
    this.#control?.closed(true);
  }

  /** @internal */
  receive(event: RawEvent): void {
    if (!this.#isClosed && this.#control?.accepts(event) !== false) this.#dispatcher.dispatch(event);
  }

  /** @internal */
  opened(headers: Headers, position: string): void {
    this.#control?.opened(headers, position);
  }

  /** @internal */
  arrived(position: string): void {
    this.#control?.arrived(position);
    this.#store.save(this.lastEventId);
  }

  /** @internal */
  stateChanged(): void {
    if (this.state !== 'open') this.#control?.closed();
    this.#dispatcher.emit('state', this.state);
    this.#dispatcher.wake();
  }

  readonly #onAbort = () => this.close();

  #createConnection(receiver: Receiver): Connection {
    return new Connection(this.#url, this.#options, receiver);
  }

  async #change(how: 'subscribe' | 'unsubscribe', channels: string | readonly string[]): Promise<void> {
    await this.#ready;
    if (!this.#control) throw new Error(`${how}() needs the option \`control\` of connect()`);
    if (this.#isClosed) throw new Error('the connection is closed');
    return this.#control[how](typeof channels === 'string' ? [channels] : channels);
  }

  async #start(): Promise<void> {
    if (this.#isClosed) return;
    const { lastEventId, shared } = this.#options;
    await this.#loadControl();
    const position = lastEventId ?? (await this.#store.load());
    (this.#connection as Connection).lastEventId = position;
    if (shared && canShare()) await this.#share(`tidings:${shared === true ? this.#url : shared}`, position);
    this.#isStarted = true;
    this.reconnect();
  }

  async #loadControl(): Promise<void> {
    const { control } = this.#options;
    if (!control) return;
    const { href } = new URL(control, this.#url);
    const file = await import('./control/control.ts').catch(report);
    if (file) this.#control = new file.Control(href, this.#options, () => this.lastEventId);
  }

  /** Switches to a shared connection. If its files cannot be loaded, the client keeps its own connection. */
  async #share(name: string, position: string): Promise<void> {
    const control = this.#control;
    const files = await Promise.all([import('./shared.ts'), control && import('./shared-control.ts')]).catch(
      report,
    );
    // The client may have been closed meanwhile.
    if (!files || this.#isClosed) return;
    const [{ SharedConnection }, tabs] = files;
    this.#connection = new SharedConnection({
      name,
      position,
      createConnection: receiver => this.#createConnection(receiver),
      createLiveness: onSilent => new Liveness(onSilent),
      receiver: this,
      control,
      createTabs: control && tabs && ((...args) => new tabs.Tabs(name, control, ...args)),
      close: () => this.close(),
    });
  }
}
