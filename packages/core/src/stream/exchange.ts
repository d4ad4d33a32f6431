import { nextTurn, type Scheduler, type TurnBudget } from '../base/scheduler.ts';
import type { HubSettings } from '../hub/options.ts';
import type { Meter } from '../hub/stats.ts';
import type { Frame } from '../protocol/frame.ts';
import { readLastEventId, type StreamRequest } from '../protocol/last-event-id.ts';
import type { CloseReason, ErrorContext } from './event-stream.ts';
import { Lifetime } from './lifetime.ts';
import { Head } from './response-head.ts';
import type { StreamSettings } from './stream-options.ts';
import { Deadlines, type DeadlinesHost } from './timers.ts';
import type { Transport } from './transport.ts';
import { Writer, type WriterHost } from './writer.ts';

/** What an exchange needs of its hub. */
export interface ExchangeHost {
  readonly scheduler: Scheduler;
  readonly meter: Meter;
  readonly settings: HubSettings;
  /** The time that answers may take in this turn. */
  readonly answers: TurnBudget;
}

/**
 * One request, and the response to it: a head, what is written, an end. What is written, and what that has to wait
 * for, is its subclass's; they are one object, since there are as many as streams.
 */
export abstract class Exchange<Host extends ExchangeHost>
  extends Lifetime
  implements WriterHost, DeadlinesHost
{
  readonly client: string | undefined;
  readonly lastEventId: string | undefined;
  readonly deadlines: Deadlines;
  readonly #host: Host;
  readonly #writer: Writer;
  /** How the request is answered; undefined once it is. */
  #head: Head | undefined;
  #hangUp = false;

  constructor(host: Host, transport: Transport, request: StreamRequest, options: StreamSettings) {
    super();
    this.#host = host;
    this.#writer = new Writer(transport, this);
    transport.onClose = () => this.leave(this.#writer.wasRefused ? 'refused' : 'disconnected');
    transport.onFail = error => {
      const reason = this.#judge(error, 'handler');
      if (reason === 'error') this.finish(reason);
      else this.leave(reason);
    };
    this.client = options.client;
    this.lastEventId = readLastEventId(request);
    this.deadlines = new Deadlines(this, options.expiresAt);
    this.#head = new Head(request.method, this.lastEventId, options);
  }

  /** Something is yet to be said before the head can go out: it is asked for, and `answer` comes then. */
  protected abstract load(): boolean;
  /** Calls back when what was to come before the end has been written. */
  protected abstract settle(done: () => void): void;
  /** There is nothing that an end would have to wait for. */
  protected abstract get isSettled(): boolean;
  /** Nothing more is written by itself. */
  protected abstract leaveChannels(): void;
  protected abstract report(error: unknown, stage: ErrorContext['stage']): void;
  protected abstract gone(reason: CloseReason): void;
  abstract get patience(): number | undefined;
  abstract answer(): void;
  abstract beat(): void;
  abstract onRoom(): void;
  abstract onFull(): void;

  /** Its head has gone out, or never will. */
  get isAnswered(): boolean {
    return this.#head === undefined;
  }

  /** Whether the client says that it has had all of what it asks for. */
  get hasHadAll(): boolean {
    return this.#head?.isFinished === true;
  }

  /** Its peer does not keep up. */
  get isLagging(): boolean {
    return this.isAnswered && !this.isOver && !this.#writer.hasRoom;
  }

  get hasRoom(): boolean {
    return this.#writer.hasRoom;
  }

  get writer(): Writer {
    return this.#writer;
  }

  get scheduler(): Scheduler {
    return this.#host.scheduler;
  }

  get meter(): Meter {
    return this.#host.meter;
  }

  get settings(): HubSettings {
    return this.#host.settings;
  }

  protected get host(): Host {
    return this.#host;
  }

  start(): void {
    this.scheduler.add(this.deadlines, this.deadlines.next(this.scheduler.now));
    this.#respondSoon();
  }

  /** Answers with a head, `retry` if given, and nothing else. The stream counts as closed at once. */
  decline(reason: CloseReason, retry?: number): void {
    this.#head = this.#head?.declined(retry);
    this.finish(reason, undefined, reason === 'refused');
    this.#respondSoon();
  }

  /**
   * Sends the head, if that is still to be done.
   *
   * @param isFinished the client has had all there was, and is told not to come back.
   */
  protected respond(isFinished: boolean): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    // Such an answer has no body.
    if (isFinished) this.#writer.drop();
    try {
      this.#writer.open(...head.answer(isFinished));
    } catch (error) {
      const reason = this.#judge(error, 'open');
      if (reason === 'error') this.#writer.destroy();
      this.leave(reason);
      return;
    }
    if (!isFinished) return;
    this.leaveChannels();
    this.finish('ended');
  }

  /**
   * Closes: what is queued goes out, then `last`, then the end.
   *
   * @param hangUp whether the connection ends with the response.
   */
  finish(reason: CloseReason, last?: Frame, hangUp = false): void {
    this.#hangUp ||= hangUp;
    const end = () => {
      if (last !== undefined) this.#writer.write(last);
      this.#writer.end(this.#hangUp);
    };
    this.guard(() => {
      if (this.isOpen) {
        this.stop(reason);
        this.settle(end);
      } else if (this.#writer.isEnding) {
        if (hangUp) this.#writer.end(true);
      } else if (this.isSettled) {
        // What its end has waited for will not come any more.
        end();
      }
    });
  }

  /** Closes at once, dropping what is queued. */
  destroy(reason: CloseReason): void {
    if (this.isOver) return;
    this.stop(reason);
    try {
      this.#writer.destroy();
    } catch (error) {
      this.report(error, 'write');
    }
    this.leave(reason);
  }

  /** To be called when the response is over; `reason` counts if the stream was still open. */
  leave(reason: CloseReason): void {
    if (this.isOver) return;
    this.#head = undefined;
    this.#writer.drop();
    this.leaveChannels();
    this.gone(this.over(reason));
  }

  /** For writes that nobody asked for just now. What throws is the application's: it has wrapped its response. */
  protected guard(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.report(error, 'write');
      this.destroy('error');
    }
  }

  /**
   * The head waits until a handler that fails in the turn of the request has been answered for. That takes two
   * turns: Express's last error handler writes only when the request has emitted 'end', which is after one.
   */
  #respondSoon(): void {
    const begin = () => {
      if (this.isAnswered) return;
      // Of thousands that come at once, some wait for another turn: what is open is not to wait for them all.
      if (this.#host.answers.isSpent) nextTurn(begin);
      else if (!this.load()) this.respond(this.hasHadAll);
    };
    nextTurn(() => nextTurn(begin));
  }

  /** What it means for the stream that its response has failed. */
  #judge(error: unknown, stage: ErrorContext['stage']): CloseReason {
    if ((error as { code?: unknown } | null)?.code === 'head-sent') return 'refused';
    this.report(error, stage);
    return 'error';
  }
}
