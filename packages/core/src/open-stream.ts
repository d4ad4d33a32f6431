import { Deadlines, type DeadlinesHost } from './deadlines.ts';
import { TidingsError } from './errors.ts';
import { type EventFields, encode, encodeComment } from './event.ts';
import { createFrame, type Frame } from './frame.ts';
import { finishedMarker, Head, heartbeatComment } from './head.ts';
import { type ChannelName, namesOf } from './hub-channel.ts';
import { Lifetime } from './lifetime.ts';
import type { Log } from './log.ts';
import type { Meter } from './meter.ts';
import { type HubSettings, readSubscribeOptions, type StreamSettings } from './options.ts';
import { readLastEventId, type StreamRequest } from './request.ts';
import type { ResetReason } from './reset.ts';
import { COME_BACK_LATER, createRetry } from './retry.ts';
import { nextTurn, type Scheduler, type TurnBudget } from './scheduler.ts';
import { pump, type SourceInput, type SourceOptions } from './source.ts';
import type { CloseReason, ErrorContext, EventStream } from './stream.ts';
import { Subscriber, type SubscriberHost } from './subscriber.ts';
import type { SubscribeOptions } from './subscription.ts';
import type { Transport } from './transport.ts';
import { Writer, type WriterHost } from './writer.ts';

/** What a stream needs of its hub. */
export interface StreamHost {
  readonly scheduler: Scheduler;
  readonly log: Log;
  readonly meter: Meter;
  readonly settings: HubSettings;
  /** The time that answers may take in this turn. */
  readonly answers: TurnBudget;
  report(error: unknown, context: ErrorContext): void;
  /** The stream's response is over. */
  gone(stream: OpenStream, reason: CloseReason): void;
}

/** Ms for which a client may be left without an answer, while a broker is asked what there is. */
const PATIENCE = 1_000;

const DEFAULTS: SubscribeOptions = {};

/** The stream behind {@link EventStream}: from the answer's head to its end. */
export class OpenStream implements EventStream, SubscriberHost, WriterHost, DeadlinesHost {
  readonly client: string | undefined;
  readonly lastEventId: string | undefined;
  readonly deadlines: Deadlines;
  readonly #host: StreamHost;
  readonly #writer: Writer;
  readonly #lifetime = new Lifetime();
  #subscriber: Subscriber | undefined;
  readonly #isGet: boolean;
  #head: Head | undefined;
  #isEnding = false;
  #hangUp = false;
  /** Made when first asked for: most streams never need it, and there are many streams. */
  #id: string | undefined;

  constructor(host: StreamHost, transport: Transport, request: StreamRequest, options: StreamSettings) {
    this.#host = host;
    this.#writer = new Writer(transport, this);
    transport.onClose = () => this.leave('disconnected');
    transport.onFail = error => {
      const reason = this.#judge(error, 'handler');
      if (reason === 'error') this.finish(reason);
      else this.leave(reason);
    };
    this.client = options.client;
    this.lastEventId = readLastEventId(request);
    const { settings, scheduler } = host;
    this.deadlines = new Deadlines(this, this.#writer, settings, scheduler.now, options.expiresAt);
    this.#isGet = request.method === 'GET';
    this.#head = new Head(request.method, this.lastEventId, options);
  }

  get id(): string {
    this.#id ??= crypto.randomUUID();
    return this.#id;
  }

  get signal(): AbortSignal {
    return this.#lifetime.signal;
  }

  get closed(): Promise<CloseReason> {
    return this.#lifetime.closed;
  }

  get bufferedBytes(): number {
    return this.#lifetime.isOver ? 0 : this.#writer.bufferedBytes + (this.#subscriber?.heldBytes ?? 0);
  }

  /** False as soon as the stream takes nothing any more; its response may still be under way. */
  get isOpen(): boolean {
    return this.#lifetime.isOpen;
  }

  /** Its peer does not keep up. */
  get isLagging(): boolean {
    return this.#head === undefined && !this.#lifetime.isOver && !this.#writer.hasRoom;
  }

  /** Whether the client says that it has had all of what it asks for. */
  get hasHadAll(): boolean {
    return this.#head?.isFinished === true;
  }

  get resetEvent(): string {
    return this.#host.settings.resetEvent;
  }

  get scheduler(): Scheduler {
    return this.#host.scheduler;
  }

  get meter(): Meter {
    return this.#host.meter;
  }

  get hasRoom(): boolean {
    return this.#writer.hasRoom;
  }

  onRoom(): void {
    if (this.#subscriber !== undefined) this.#host.log.wake(this.#subscriber);
    this.caughtUp();
  }

  caughtUp(): void {
    if (this.#isDrained) this.#lifetime.settleDrained();
  }

  /** What is sent now need not wait. */
  get #isDrained(): boolean {
    return this.#writer.hasRoom && !this.#subscriber?.heldBytes;
  }

  onFull(): void {
    this.#host.meter.streamLagging(this);
  }

  isCalled(name: string): boolean {
    return name === this.#id || name === this.client;
  }

  write(frame: Frame): void {
    this.#writer.write(frame);
  }

  lost(reason: ResetReason, channels: readonly string[]): void {
    this.#host.meter.streamReset(this, reason, channels);
  }

  resumed(): void {
    this.#host.meter.streamReplayed(this);
  }

  ended(last: Frame): void {
    this.finish('ended', last);
  }

  ready(): void {
    let isFinished: boolean;
    try {
      isFinished = this.#subscriber?.begin() === false;
    } catch (error) {
      this.failed(error);
      return;
    }
    if (this.#head !== undefined) this.#answer(this.#head, isFinished);
    // The head has gone out before: its client could not be kept waiting.
    else if (isFinished) {
      this.#leaveChannels();
      this.finish('ended');
    }
  }

  overflowed(last: Frame | undefined): void {
    this.#lifetime.end('slow');
    if (last !== undefined) this.#writer.write(last);
    this.#leaveChannels();
    this.#writer.end(false);
  }

  failed(error: unknown): void {
    this.#host.report(error, { stage: 'subscribe', stream: this });
    this.#leaveChannels();
    this.answer();
    this.finish('error', createRetry(COME_BACK_LATER));
    this.answer();
  }

  subscribe(channels: ChannelName | readonly ChannelName[], options: SubscribeOptions = DEFAULTS): this {
    const names = namesOf(channels);
    const checked = readSubscribeOptions(options);
    if (!this.isOpen) return this;
    if (this.#subscriber === undefined) {
      this.#subscriber = new Subscriber(this.#host.log, this);
      if (this.#head === undefined) this.#subscriber.beginLate();
    }
    this.#subscriber.subscribe(names, checked);
    return this;
  }

  unsubscribe(channels: ChannelName | readonly ChannelName[]): this {
    this.#subscriber?.unsubscribe(namesOf(channels));
    return this;
  }

  send(data: unknown, fields?: EventFields): boolean {
    if (this.#subscriber !== undefined && fields?.id !== undefined && this.isOpen) {
      throw new TidingsError(
        'invalid-field',
        'id must not be set on a subscribed stream: its ids are positions',
      );
    }
    return this.isOpen && this.#write(createFrame(encode(data, fields), 1));
  }

  comment(text = ''): boolean {
    return this.isOpen && this.#write(createFrame(encodeComment(text)));
  }

  drained(): Promise<void> {
    return !this.isOpen || this.#isDrained ? Promise.resolve() : this.#lifetime.drained;
  }

  async stream<T>(source: SourceInput<T>, options: SourceOptions<T> = {}): Promise<boolean> {
    if (this.#isFinished) this.#answer(this.#head as Head, true);
    const report = (error: unknown) => this.#host.report(error, { stage: 'source', stream: this });
    try {
      const complete = await pump(this, source, options, report);
      if (complete && options.end !== false) this.finish('ended', this.#isGet ? finishedMarker : undefined);
      return complete;
    } catch (error) {
      report(error);
      this.finish('error');
      return false;
    }
  }

  close(): void {
    this.finish('closed');
  }

  start(): void {
    const { scheduler } = this.#host;
    scheduler.add(this.deadlines, this.deadlines.next(scheduler.now));
    this.#answerSoon();
  }

  /** Answers with a head, `retry` if given, and nothing else. The stream counts as closed at once. */
  decline(reason: CloseReason, retry?: number): void {
    this.#head = this.#head?.declined(retry);
    this.finish(reason, undefined, reason === 'refused');
    this.#answerSoon();
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
      this.#isEnding = true;
      this.#writer.end(this.#hangUp);
    };
    this.#guard(() => {
      if (!this.isOpen) {
        if (hangUp && this.#isEnding) this.#writer.end(true);
        // What its end has waited for will not come any more.
        if (!this.#isEnding && this.#subscriber === undefined) end();
        return;
      }
      this.#lifetime.end(reason);
      if (this.#subscriber === undefined) end();
      else this.#subscriber.close(end);
    });
  }

  /** Closes at once, dropping what is queued. */
  destroy(reason: CloseReason): void {
    if (this.#lifetime.isOver) return;
    this.#lifetime.end(reason);
    try {
      this.#writer.destroy();
    } catch (error) {
      this.#host.report(error, { stage: 'write', stream: this });
    }
    this.leave(reason);
  }

  /** To be called when the response is over; `reason` counts if the stream was still open. */
  leave(reason: CloseReason): void {
    if (this.#lifetime.isOver) return;
    this.#head = undefined;
    this.#writer.drop();
    this.#leaveChannels();
    this.#host.gone(this, this.#lifetime.over(reason));
  }

  get patience(): number | undefined {
    return this.#head !== undefined && this.#host.log.mirror !== undefined ? PATIENCE : undefined;
  }

  answer(): void {
    this.#subscriber?.load();
    if (this.#head !== undefined) this.#answer(this.#head, false);
  }

  beat(): void {
    if (this.isOpen) this.#guard(() => this.#writer.write(this.#subscriber?.marker() ?? heartbeatComment));
  }

  /** For writes that nobody asked for just now. What throws is the application's: it has wrapped its response. */
  #guard(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#host.report(error, { stage: 'write', stream: this });
      this.destroy('error');
    }
  }

  /**
   * The head waits until a handler that fails in the turn of the request has been answered for. That takes two
   * turns: Express's last error handler writes only when the request has emitted 'end', which is after one.
   */
  #answerSoon(): void {
    const begin = () => {
      if (this.#head === undefined) return;
      // Of thousands that come at once, some wait for another turn: what is open is not to wait for them all.
      if (this.#host.answers.isSpent) nextTurn(begin);
      else if (this.#subscriber === undefined) this.#answer(this.#head, this.#isFinished);
      else this.#subscriber.load();
    };
    nextTurn(() => nextTurn(begin));
  }

  /** @param isFinished the client has had all there was. */
  #answer(head: Head, isFinished: boolean): void {
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
    this.#leaveChannels();
    this.finish('ended');
  }

  /** What it means for the stream that its response has failed. */
  #judge(error: unknown, stage: ErrorContext['stage']): CloseReason {
    if ((error as { code?: unknown } | null)?.code === 'head-sent') return 'refused';
    this.#host.report(error, { stage, stream: this });
    return 'error';
  }

  /** The client has had all there was, and asks for nothing new. */
  get #isFinished(): boolean {
    return this.#head?.isFinished === true && this.#subscriber === undefined;
  }

  #write(frame: Frame): boolean {
    // To a client that has had all there was, there is nothing to say.
    if (this.#isFinished) return true;
    if (this.#mayGoOn(frame)) {
      this.#writer.write(frame);
      return true;
    }
    // That may answer already.
    if (this.#head !== undefined) this.#subscriber?.load();
    if (this.#head !== undefined) this.#answer(this.#head, false);
    if (!this.isOpen) return false;
    if (!this.#isDrained && this.bufferedBytes + frame.length > this.#host.settings.maxBufferedBytes) {
      this.destroy('slow');
      return false;
    }
    if (this.#subscriber === undefined) return this.#writer.write(frame);
    this.#subscriber.catchUp();
    // That may have brought it to its end.
    if (!this.isOpen || this.#subscriber === undefined) return false;
    this.#subscriber.send(frame);
    return this.#isDrained;
  }

  /** A client that comes back may yet be subscribed in this turn: answered before, it would not get what it missed. */
  #mayGoOn(frame: Frame): boolean {
    if (this.#head === undefined || this.#subscriber !== undefined || !this.lastEventId) return false;
    return this.bufferedBytes + frame.length <= this.#host.settings.maxBufferedBytes;
  }

  #leaveChannels(): void {
    this.#subscriber?.leave();
    this.#subscriber = undefined;
  }
}
