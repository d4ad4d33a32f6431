import type { State } from '../events.ts';
import type { ConnectOptions } from '../options.ts';
import { isOffline, type PageWatcher } from '../page.ts';
import { attempt, type Outcome } from './attempt.ts';
import { backoff } from './backoff.ts';
import { BufferingWarning } from './buffering-warning.ts';
import { Liveness } from './liveness.ts';
import { type Block, createParser } from './parser.ts';

/** An event with its data as text. */
export interface RawEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly channel?: string | undefined;
  /** The id of an event that was sent without an `id`, because it is older than the client's position. */
  readonly position?: string | undefined;
}

/** The receiver of a connection's events. */
export interface Receiver {
  receive(event: RawEvent): void;
  /** The headers of an event stream have arrived. Its events come after the position. */
  opened(headers: Headers, position: string): void;
  /** Bytes have arrived, and all events in them were received. The position may have changed. */
  arrived(position: string): void;
  stateChanged(): void;
}

/** ms after which a connection counts as stable, so that the number of failures is reset to 0. */
const STABLE = 5_000;
/** Statuses of a request that was not processed. */
const REJECTED = [429, 503];
/** Maximum ms of a timer. With more, `setTimeout` runs its callback immediately. */
const MAX_TIMER = 2 ** 31 - 1;
/** The name of Tidings' position markers. They set the position, and are not passed on as events. */
const MARKER = 'tidings';

/**
 * Has one connection at a time. The states, and their transitions:
 *
 * | state          | outcome of the attempt                                                   | other                              |
 * | -------------- | ------------------------------------------------------------------------ | ---------------------------------- |
 * | `connecting`   | event stream → `open`; the rest as `open`                                | silent → `connecting`              |
 * | `open`         | end → `waiting`, by POST → `ended`; 204, end marker → `ended`;           | silent → `connecting`              |
 * |                | 401, 403 → `connecting` once, then `unauthorized`;                       |                                    |
 * |                | broken → `waiting`, `offline`; by POST without an id → `failed`          |                                    |
 * | `waiting`      |                                                                          | timer, `wake` → `connecting`       |
 * | `offline`      |                                                                          | timer, `wake` → `connecting`       |
 * | `ended`, `unauthorized`, `failed` |                                                       | only `reconnect` → `connecting`    |
 *
 * `suspend` leads from the first four states to `waiting`, without a timer. `reconnect` leads from every state to
 * `connecting`. `close` leads to `ended`; the owner then calls no other method.
 */
export class Connection implements PageWatcher {
  state: State = 'connecting';
  error: Error | undefined;
  lastEventId = '';
  readonly #url: string;
  readonly #options: ConnectOptions;
  readonly #receiver: Receiver;
  readonly #liveness = new Liveness(() => {
    this.error = new Error(`no byte arrived for ${this.silence} ms`);
    this.#connect();
  });
  readonly #warning: BufferingWarning;
  /** Aborts the current attempt. Callbacks of an aborted attempt are ignored. */
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Twice the heartbeat interval that the last response has announced, in ms. */
  #silence: number | undefined;
  /** The last reconnection time from the server, in ms. */
  #retry: number | undefined;
  #failures = 0;
  /** 401 or 403, if the last response had that status. */
  #rejected: number | undefined;
  /** When the response began, in ms since 1970. 0: it has not begun. */
  #openedAt = 0;
  /** The server has set the current wait, so that a page that is shown again does not shorten it. */
  #isWaitSet = false;

  constructor(url: string, options: ConnectOptions, receiver: Receiver) {
    this.#url = url;
    this.#options = options;
    this.#receiver = receiver;
    this.#warning = new BufferingWarning(url);
  }

  /** Also makes the first attempt. */
  reconnect(): void {
    this.#connect();
  }

  /** @param _everywhere applies only to shared connections. */
  close(_everywhere?: boolean): void {
    this.#stop('ended');
  }

  suspend(): void {
    this.#isWaitSet = false;
    if (this.#isActive()) this.#stop('waiting');
  }

  wake(): void {
    if (this.state === 'open') this.#liveness.check();
    else if (this.state !== 'connecting' && this.#isActive() && !this.#isWaitSet) this.#connect();
  }

  #isActive(): boolean {
    return !['ended', 'unauthorized', 'failed'].includes(this.state);
  }

  #connect(): void {
    this.#abort();
    this.#controller = new AbortController();
    const { signal } = this.#controller;
    const parse = createParser(
      block => signal.aborted || this.#receive(block),
      retry => {
        this.#retry = retry;
      },
    );
    this.#openedAt = 0;
    attempt({
      url: this.#url,
      options: this.#options,
      lastEventId: this.lastEventId,
      rejected: this.#rejected,
      signal,
      onSend: () => {
        this.#warning.sent();
        this.#liveness.start(this.silence);
      },
      onOpen: headers => {
        if (!signal.aborted) this.#open(headers);
      },
      onText: text => {
        if (signal.aborted) return;
        this.#liveness.touch();
        this.#warning.arrived(this.#silence !== undefined);
        parse(text);
        this.#receiver.arrived(this.lastEventId);
      },
    }).then(outcome => signal.aborted || this.#settle(outcome));
    this.#set('connecting');
  }

  #open(headers: Headers): void {
    this.#openedAt = Date.now();
    this.#rejected = undefined;
    this.#silence = Number(headers.get('tidings-heartbeat')) * 2 || undefined;
    this.error = undefined;
    this.#liveness.start(this.silence);
    this.#receiver.opened(headers, this.lastEventId);
    this.#set('open');
  }

  /** ms without a byte after which the connection counts as dead. Undefined: no limit. */
  get silence(): number | undefined {
    const { silence = this.#silence } = this.#options;
    return silence || undefined;
  }

  #receive({ data, ...block }: Block): void {
    const { event, id } = block;
    if (id !== undefined) this.lastEventId = id;
    if (event !== MARKER) {
      if (data !== undefined) this.#receiver.receive({ ...block, data });
    } else if (id?.endsWith('.')) this.#stop('ended');
  }

  #settle(outcome: Outcome): void {
    this.error = outcome.error;
    if (this.#openedAt) {
      const lasted = Date.now() - this.#openedAt;
      if (lasted >= STABLE) this.#failures = 0;
      this.#warning.ended(lasted);
    }
    const next = this.#after(outcome);
    if (next === 'connecting') this.#connect();
    else if (next === 'waiting') this.#wait(outcome);
    else this.#stop(next);
  }

  #after({ kind, status, isRepeatable }: Outcome): State {
    if (kind === 'complete' || (kind === 'end' && !isRepeatable)) return 'ended';
    if (kind === 'unauthorized') {
      // Retried once, if a function can return other headers.
      if (this.#rejected || typeof this.#options.headers !== 'function') return kind;
      this.#rejected = status;
      return 'connecting';
    }
    const mayRepeat = isRepeatable || this.lastEventId || REJECTED.includes(status ?? 0);
    return kind === 'failed' || !mayRepeat ? 'failed' : 'waiting';
  }

  #wait({ kind, retryAfter }: Outcome): void {
    const ms = Number(kind === 'end' ? this.#retry : retryAfter);
    this.#isWaitSet = ms >= 0;
    const wait = this.#isWaitSet ? ms : backoff(this.#options.retry, this.#failures++, this.#retry);
    this.#abort();
    this.#timer = setTimeout(() => this.#connect(), Math.min(wait, MAX_TIMER));
    this.#set(isOffline() ? 'offline' : 'waiting');
  }

  #stop(state: State): void {
    this.#abort();
    this.#set(state);
  }

  /** Ends the current attempt or wait. */
  #abort(): void {
    this.#controller.abort();
    clearTimeout(this.#timer);
    this.#liveness.stop();
  }

  /** Must be the last call of a method: a listener may close the connection or reconnect. */
  #set(state: State): void {
    if (this.state === state) return;
    this.state = state;
    this.#receiver.stateChanged();
  }
}
