import type { Frame } from '../frame.ts';
import type { Meter } from '../hub/meter.ts';
import type { HubSettings } from '../hub/options.ts';
import { nextTurn, type Scheduler, type TurnBudget } from '../scheduler.ts';
import type { Transport } from '../transport.ts';
import { Deadlines, type DeadlinesHost } from './deadlines.ts';
import { Head } from './head.ts';
import { readLastEventId, type StreamRequest } from './request.ts';
import type { CloseReason, ErrorContext } from './stream.ts';
import type { StreamSettings } from './stream-options.ts';
import { Waiters } from './waiters.ts';
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
export abstract class Exchange<Host extends ExchangeHost> implements WriterHost, DeadlinesHost {
  readonly client: string | undefined;
  readonly lastEventId: string | undefined;
  readonly deadlines: Deadlines;
  readonly #host: Host;
  readonly #writer: Writer;
  /** How the request is answered; undefined once it is. */
  #head: Head | undefined;
  /** Why nothing is taken any more. */
  #reason: CloseReason | undefined;
  #isOver = false;
  #hangUp = false;
  #waiters: Waiters | undefined;

  constructor(host: Host, transport: Transport, request: StreamRequest, options: StreamSettings) {
    this.#host = host;
    this.#writer = new Writer(transport, this);
    transport.onClose = () => this.leave(this.#writer.wasRefused ? 'refused' : 'disconnected');
    if ('onFail' in transport) {
      transport.onFail = error => {
        const reason = this.#judge(error, 'handler');
        if (reason === 'error') this.finish(reason);
        else this.leave(reason);
      };
    }
    this.client = options.client;
    this.lastEventId = readLastEventId(request);
    this.deadlines = new Deadlines(this, options.expiresAt);
    this.#head = new Head(request.method, this.lastEventId, options);
  }

  /** Something is yet to be said before the head can go out: it is asked for, and `answer` comes then. */
  protected abstract load(): boolean;
  /** Calls back when what was to come before the end has been written. */
  protected abstract settle(done: () => void): void;
  /** Nothing is to be settled any more. */
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

  get signal(): AbortSignal {
    const { signal } = this.#waiting;
    if (!this.isOpen) this.#waiting.ended();
    return signal;
  }

  get closed(): Promise<CloseReason> {
    const { closed } = this.#waiting;
    if (this.#isOver) this.#waiting.over(this.#reason as CloseReason);
    return closed;
  }

  /** False as soon as the stream takes nothing any more; its response may still be under way. */
  get isOpen(): boolean {
    return this.#reason === undefined;
  }

  /** The response, too, is over. */
  get isOver(): boolean {
    return this.#isOver;
  }

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
    return this.isAnswered && !this.#isOver && !this.#writer.hasRoom;
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

  /** Resolves with the next {@link room}. */
  protected get untilRoom(): Promise<void> {
    return this.#waiting.drained;
  }

  /** What is sent now need not wait. */
  protected room(): void {
    this.#waiters?.room();
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

  /** Nothing more is taken. Only the first reason counts. */
  protected end(reason: CloseReason): void {
    if (!this.isOpen) return;
    this.#reason = reason;
    this.#waiters?.ended();
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
        this.end(reason);
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
    if (this.#isOver) return;
    this.end(reason);
    try {
      this.#writer.destroy();
    } catch (error) {
      this.report(error, 'write');
    }
    this.leave(reason);
  }

  /** To be called when the response is over; `reason` counts if the stream was still open. */
  leave(reason: CloseReason): void {
    if (this.#isOver) return;
    this.#head = undefined;
    this.#writer.drop();
    this.leaveChannels();
    this.end(reason);
    this.#isOver = true;
    this.#waiters?.over(this.#reason as CloseReason);
    this.gone(this.#reason as CloseReason);
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

  get #waiting(): Waiters {
    this.#waiters ??= new Waiters();
    return this.#waiters;
  }
}
