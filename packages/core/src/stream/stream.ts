import { invalid } from '../base/option-checks.ts';
import { Subscriber, type SubscriberHost } from '../delivery/stream-delivery.ts';
import { readSubscribeOptions, type SubscribeOptions } from '../delivery/subscribe-options.ts';
import type { Log } from '../log/log.ts';
import { type ChannelName, namesOf } from '../protocol/channel-name.ts';
import { type EventFields, encode, encodeComment } from '../protocol/event.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';
import type { StreamRequest } from '../protocol/last-event-id.ts';
import type { ResetReason } from '../protocol/reset.ts';
import type { CloseReason, ErrorContext, EventStream } from './event-stream.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { finishedMarker, heartbeatComment } from './response-head.ts';
import { createRetry } from './retry.ts';
import { pump, type SourceInput, type SourceOptions } from './source.ts';
import type { StreamSettings } from './stream-options.ts';
import type { Transport } from './transport.ts';

/** What a stream needs of its hub. */
export interface StreamHost extends ExchangeHost {
  readonly log: Log;
  report(error: unknown, context: ErrorContext): void;
  /** The stream's response is over. */
  gone(stream: OpenStream, reason: CloseReason): void;
}

/** Ms for which a client may be left without an answer, while a broker is asked what there is. */
const PATIENCE = 1_000;

/** The stream behind {@link EventStream}: what is written, by the application and from channels, and in which order. */
export class OpenStream extends Exchange<StreamHost> implements EventStream, SubscriberHost {
  #subscriber: Subscriber | undefined;
  readonly #isGet: boolean;
  /** Made when first asked for, like all that most streams never need. */
  #id: string | undefined;

  constructor(host: StreamHost, transport: Transport, request: StreamRequest, options: StreamSettings) {
    super(host, transport, request, options);
    this.#isGet = request.method === 'GET';
  }

  get id(): string {
    this.#id ??= crypto.randomUUID();
    return this.#id;
  }

  get bufferedBytes(): number {
    return this.isOver ? 0 : this.writer.bufferedBytes + (this.#subscriber?.heldBytes ?? 0);
  }

  send(data: unknown, fields?: EventFields): boolean {
    if (this.#subscriber !== undefined && fields?.id !== undefined && this.isOpen) {
      throw invalid('id', 'left out when subscribed: ids are positions', fields.id, 'invalid-field');
    }
    return this.isOpen && this.#write(createFrame(encode(data, fields), 1));
  }

  comment(text = ''): boolean {
    return this.isOpen && this.#write(createFrame(encodeComment(text)));
  }

  drained(): Promise<void> {
    return !this.isOpen || this.#isDrained ? Promise.resolve() : this.untilRoom;
  }

  async stream<T>(source: SourceInput<T>, options: SourceOptions<T> = {}): Promise<boolean> {
    if (this.#isFinished) this.respond(true);
    const report = (error: unknown) => this.report(error, 'source');
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

  subscribe(channels: ChannelName | readonly ChannelName[], options?: SubscribeOptions): this {
    const names = namesOf(channels);
    const checked = readSubscribeOptions(options);
    if (!this.isOpen) return this;
    if (this.#subscriber === undefined) {
      this.#subscriber = new Subscriber(this);
      if (this.isAnswered) this.#subscriber.beginLate();
    }
    this.#subscriber.subscribe(names, checked);
    return this;
  }

  unsubscribe(channels: ChannelName | readonly ChannelName[]): this {
    this.#subscriber?.unsubscribe(namesOf(channels));
    return this;
  }

  close(): void {
    this.finish('closed');
  }

  // For its subscriber.

  get log(): Log {
    return this.host.log;
  }

  get isBehind(): boolean {
    return this.writer.bufferedBytes > 0;
  }

  isCalled(name: string): boolean {
    return name === this.#id || name === this.client;
  }

  write(frame: Frame): void {
    this.writer.write(frame);
  }

  caughtUp(): void {
    if (this.#isDrained) this.room();
  }

  lost(reason: ResetReason, channels: readonly string[]): void {
    this.meter.streamReset(this, reason, channels);
  }

  resumed(): void {
    this.meter.streamReplayed(this);
  }

  ready(): void {
    const isFinished = this.#subscriber?.begin() === false;
    if (!this.isAnswered) this.respond(isFinished);
    // The head has gone out before: its client could not be kept waiting.
    else if (isFinished) {
      this.leaveChannels();
      this.finish('ended');
    }
  }

  overflowed(last: Frame | undefined): void {
    this.stop('slow');
    if (last !== undefined) this.writer.write(last);
    this.leaveChannels();
    this.writer.end(false);
  }

  failed(error: unknown): void {
    this.report(error, 'subscribe');
    this.leaveChannels();
    this.answer();
    this.finish('error', createRetry());
    this.answer();
  }

  // For its exchange.

  get patience(): number | undefined {
    return !this.isAnswered && this.log.mirror !== undefined ? PATIENCE : undefined;
  }

  answer(): void {
    this.#subscriber?.load();
    this.respond(false);
  }

  beat(): void {
    if (this.isOpen) this.guard(() => this.writer.write(this.#subscriber?.marker() ?? heartbeatComment));
  }

  onRoom(): void {
    if (this.#subscriber !== undefined) this.log.wake(this.#subscriber);
    this.caughtUp();
  }

  onFull(): void {
    this.meter.streamLagging(this);
  }

  protected load(): boolean {
    this.#subscriber?.load();
    return this.#subscriber !== undefined;
  }

  protected settle(done: () => void): void {
    if (this.#subscriber === undefined) done();
    else this.#subscriber.close(done);
  }

  protected get isSettled(): boolean {
    return this.#subscriber === undefined;
  }

  protected leaveChannels(): void {
    this.#subscriber?.leave();
    this.#subscriber = undefined;
  }

  protected report(error: unknown, stage: ErrorContext['stage']): void {
    this.host.report(error, { stage, stream: this });
  }

  protected gone(reason: CloseReason): void {
    this.host.gone(this, reason);
  }

  /** What is sent now need not wait. */
  get #isDrained(): boolean {
    return this.hasRoom && !this.#subscriber?.heldBytes;
  }

  /** The client has had all there was, and asks for nothing new. */
  get #isFinished(): boolean {
    return this.hasHadAll && this.#subscriber === undefined;
  }

  #write(frame: Frame): boolean {
    // To a client that has had all there was, there is nothing to say.
    if (this.#isFinished) return true;
    if (this.#mayGoOn(frame)) {
      this.writer.write(frame);
      return true;
    }
    // That may answer already.
    if (!this.isAnswered) this.answer();
    if (!this.isOpen) return false;
    if (!this.#isDrained && this.#isTooMuch(frame)) {
      this.destroy('slow');
      return false;
    }
    if (this.#subscriber === undefined) return this.writer.write(frame);
    this.#subscriber.catchUp();
    // That may have brought it to its end.
    if (!this.isOpen || this.#subscriber === undefined) return false;
    this.#subscriber.send(frame);
    return this.#isDrained;
  }

  /** A client that comes back may yet be subscribed in this turn: answered before, it would not get what it missed. */
  #mayGoOn(frame: Frame): boolean {
    if (this.isAnswered || this.#subscriber !== undefined || !this.lastEventId) return false;
    return !this.#isTooMuch(frame);
  }

  #isTooMuch(frame: Frame): boolean {
    return this.bufferedBytes + frame.length > this.settings.maxBufferedBytes;
  }
}
