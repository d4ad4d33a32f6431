import { bindContext } from '../base/async-context.ts';
import { nextTurn, type TurnBudget } from '../base/event-loop.ts';
import { invalid } from '../base/option-checks.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { DeliveryContext, DeliveryOutcome, DeliveryTarget } from '../delivery/delivery-target.ts';
import { StreamDelivery } from '../delivery/stream-delivery.ts';
import {
  type FilterEvent,
  readSubscribeOptions,
  type SubscribeOptions,
} from '../delivery/subscribe-options.ts';
import { type ChannelName, namesOf } from '../protocol/channel-name.ts';
import { type EventFields, encode, encodeComment } from '../protocol/event.ts';
import { UNKNOWN_ID } from '../protocol/event-id.ts';
import { createFrame, type Frame } from '../protocol/frame.ts';
import { readLastEventId, type StreamRequest } from '../protocol/last-event-id.ts';
import { createMarker } from '../protocol/marker.ts';
import type { ResetReason } from '../protocol/reset.ts';
import type { CloseReason, ErrorContext, EventStream } from './event-stream.ts';
import { finishedMarker, heartbeatComment, ResponseHead } from './response-head.ts';
import { createRetry } from './retry.ts';
import { pump } from './source.ts';
import type { SourceInput, SourceOptions } from './source-options.ts';
import type { StreamSettings } from './stream-options.ts';
import { type StreamLimits, type TimedStream, Timers } from './timers.ts';
import type { Transport } from './transport.ts';
import { Waiters } from './waiters.ts';
import { Writer, type WriterListener } from './writer.ts';

/** What a stream needs of its hub. */
export interface StreamHost {
  readonly scheduler: Scheduler;
  readonly limits: StreamLimits;
  readonly context: DeliveryContext;
  /** The time that responses may take to begin in this turn. */
  readonly responses: TurnBudget;
  report(error: unknown, context: ErrorContext): void;
  streamClosed(stream: Stream, reason: CloseReason): void;
  streamWritten(events: number, bytes: number): void;
  streamLagging(stream: Stream): void;
  streamReset(stream: Stream, reason: ResetReason, channels: readonly string[]): void;
  streamResumed(stream: Stream): void;
}

/** How a stream closes. */
interface Closing {
  readonly reason: CloseReason;
  /** Written last. */
  last: Frame | undefined;
  /** Whether the connection ends with the response. */
  hangUp: boolean;
}

/**
 * One response, behind {@link EventStream}.
 *
 * ```
 *          headers sent          end(reason)              last byte read
 *  pending ────────────► open ────────────────► closing ────────────────► closed
 *     │    end(reason)                             ▲                        ▲
 *     └────────────────────────────────────────────┘                        │
 *                         (headers are sent first)       abort(reason), or the client disconnects: from any state
 * ```
 *
 * `open` and `pending` streams take events; a `closing` one writes what it has. A stream without subscriptions has
 * nothing but a writer. With the first subscription it gets a {@link StreamDelivery}, which has a state of its own.
 */
export class Stream implements EventStream, WriterListener, TimedStream, DeliveryTarget {
  readonly client: string | undefined;
  readonly lastEventId: string | undefined;
  readonly writer: Writer;
  readonly #host: StreamHost;
  readonly #timers: Timers;
  readonly #isGet: boolean;
  #delivery: StreamDelivery | undefined;
  #waiters: Waiters | undefined;
  #closing: Closing | undefined;
  #isClosed = false;
  #id: string | undefined;

  constructor(host: StreamHost, transport: Transport, request: StreamRequest, options: StreamSettings) {
    this.#host = host;
    this.client = options.client;
    this.lastEventId = readLastEventId(request);
    this.#isGet = request.method === 'GET';
    this.writer = new Writer(transport, this, new ResponseHead(request.method, this.lastEventId, options));
    this.#timers = new Timers(this, options.expiresAt);
    transport.onClose = () => this.#close(this.writer.wasRefused ? 'refused' : 'disconnected');
    transport.onFail = error => this.#fail(error, 'handler');
  }

  // EventStream

  get id(): string {
    this.#id ??= crypto.randomUUID();
    return this.#id;
  }

  get signal(): AbortSignal {
    this.#waiters ??= new Waiters();
    const { signal } = this.#waiters;
    if (!this.isOpen) this.#waiters.ended();
    return signal;
  }

  get closed(): Promise<CloseReason> {
    this.#waiters ??= new Waiters();
    const { closed } = this.#waiters;
    if (this.#isClosed && this.#closing) this.#waiters.closedWith(this.#closing.reason);
    return closed;
  }

  get bufferedBytes(): number {
    return this.#isClosed ? 0 : this.writer.bufferedBytes + (this.#delivery?.bufferedBytes ?? 0);
  }

  send(data: unknown, fields?: EventFields): boolean {
    if (this.#delivery !== undefined && fields?.id !== undefined && this.isOpen) {
      throw invalid('id', 'left out when subscribed: ids are positions', fields.id, 'invalid-field');
    }
    return this.isOpen && this.#send(createFrame(encode(data, fields), 1));
  }

  comment(text = ''): boolean {
    return this.isOpen && this.#send(createFrame(encodeComment(text)));
  }

  drained(): Promise<void> {
    if (!this.isOpen || this.#isDrained) return Promise.resolve();
    this.#waiters ??= new Waiters();
    return this.#waiters.drained;
  }

  async stream<T>(source: SourceInput<T>, options: SourceOptions<T> = {}): Promise<boolean> {
    if (this.hasReceivedAll) this.#respond(true);
    const report = (error: unknown) => this.#report(error, 'source');
    try {
      const isComplete = await pump(this, source, options, report);
      if (isComplete && options.end !== false) this.end('ended', this.#isGet ? finishedMarker : undefined);
      return isComplete;
    } catch (error) {
      report(error);
      this.end('error');
      return false;
    }
  }

  subscribe(channels: ChannelName | readonly ChannelName[], options?: SubscribeOptions): this {
    const names = namesOf(channels);
    const { from, filter } = readSubscribeOptions(options);
    if (!this.isOpen) {
      this.#markRejected();
      return this;
    }
    if (this.#delivery === undefined) {
      this.#delivery = new StreamDelivery(this);
      if (this.headersSent) this.#delivery.startSoon();
    }
    this.#delivery.subscribe(names, { from, filter: filter && this.#guardFilter(filter) });
    return this;
  }

  unsubscribe(channels: ChannelName | readonly ChannelName[]): this {
    this.#delivery?.unsubscribe(namesOf(channels));
    return this;
  }

  close(): void {
    this.end('closed');
  }

  // Its life

  /** False as soon as the stream takes nothing more. Its response may still be under way. */
  get isOpen(): boolean {
    return this.#closing === undefined;
  }

  /** Sent, or never to be. */
  get headersSent(): boolean {
    return this.writer.head === undefined;
  }

  /** The client says that it has received everything, and nothing new is asked for. */
  get hasReceivedAll(): boolean {
    return this.writer.head?.isFinished === true && this.#delivery === undefined;
  }

  start(): void {
    this.#timers.start();
    this.#respondSoon();
  }

  /** Responds with headers and a reconnection time, and nothing else. The stream never opens. */
  reject(reason: CloseReason, retry?: number): void {
    this.writer.reject(retry);
    this.#closing = { reason, last: undefined, hangUp: reason === 'refused' };
    this.#respondSoon();
  }

  /** A client without an id that is turned away gets one: it resumes from there when it reconnects. */
  #markRejected(): void {
    const { log } = this.#host.context;
    if (this.headersSent || this.#closing?.reason !== 'refused' || this.lastEventId !== undefined) return;
    this.#closing.last ??= createMarker(log.now === undefined ? UNKNOWN_ID : log.id(log.now));
  }

  /**
   * Ends the response: after what was sent and published before, and then `last`.
   *
   * @param hangUp whether the connection ends with the response.
   */
  end(reason: CloseReason, last?: Frame, hangUp = false): void {
    if (this.#isClosed) return;
    if (this.#closing === undefined) {
      this.#closing = { reason, last, hangUp };
      this.#waiters?.ended();
    } else this.#closing.hangUp ||= hangUp;
    this.#guard(() => {
      if (this.#delivery === undefined) this.#endResponse();
      else {
        this.#delivery.close();
        if (this.isWaitingForBroker) this.#timers.watchBroker();
      }
    });
  }

  /** Ends the response and its connection at once. What is queued is dropped. */
  abort(reason: CloseReason): void {
    if (this.#isClosed) return;
    this.#closing ??= { reason, last: undefined, hangUp: true };
    this.#waiters?.ended();
    try {
      this.writer.abort();
    } catch (error) {
      this.#report(error, 'write');
    }
    this.#close(reason);
  }

  #endResponse(): void {
    const { last, hangUp } = this.#closing as Closing;
    if (last !== undefined && !this.writer.isEnding) this.writer.write(last);
    if (!this.writer.isEnding || hangUp) this.writer.end(hangUp);
  }

  /** The response is over. */
  #close(reason: CloseReason): void {
    if (this.#isClosed) return;
    this.#closing ??= { reason, last: undefined, hangUp: false };
    this.#isClosed = true;
    this.writer.drop();
    this.#stopDelivery();
    this.#timers.stop();
    this.#waiters?.ended();
    this.#waiters?.closedWith(this.#closing.reason);
    this.#host.streamClosed(this, this.#closing.reason);
  }

  /**
   * The headers wait until a handler that fails synchronously has been answered by the framework. That takes two turns:
   * Express's last error handler responds when the request has emitted 'end', which is after one.
   */
  #respondSoon(): void {
    const begin = () => {
      if (this.headersSent || this.#isClosed) return;
      // Of thousands of requests at once, some wait for another turn, so that open streams get theirs.
      if (this.#host.responses.isSpent) nextTurn(begin);
      else if (this.#delivery !== undefined) this.#delivery.start();
      else {
        this.#respond(this.hasReceivedAll);
        if (!this.isOpen && !this.#isClosed) this.#endResponse();
      }
    };
    nextTurn(() => nextTurn(begin));
  }

  /** @param isFinished there is nothing to send, now or later: 204 tells an EventSource not to reconnect. */
  #respond(isFinished: boolean): void {
    if (this.headersSent || this.#isClosed) return;
    try {
      this.writer.sendHeaders(isFinished);
    } catch (error) {
      if (this.#failureReason(error, 'open') === 'refused') this.#close('refused');
      else this.abort('error');
      return;
    }
    if (!isFinished) return;
    this.#stopDelivery();
    this.end('ended');
  }

  /** The handler has failed. */
  #fail(error: unknown, stage: ErrorContext['stage']): void {
    if (this.#failureReason(error, stage) === 'refused') this.#close('refused');
    else this.end('error');
  }

  /** Why a stream closes whose response failed: something else has responded, or an error, which is reported. */
  #failureReason(error: unknown, stage: ErrorContext['stage']): 'refused' | 'error' {
    if ((error as { code?: unknown } | null)?.code === 'head-sent') return 'refused';
    this.#report(error, stage);
    return 'error';
  }

  // Writing

  get #isDrained(): boolean {
    return this.writer.hasRoom && !this.#delivery?.bufferedBytes;
  }

  #send(frame: Frame): boolean {
    // The client needs nothing of it.
    if (this.hasReceivedAll) return true;
    // A client that reconnects may have received everything that this request is about to subscribe to.
    const mayGet204 = !this.headersSent && this.#delivery === undefined && Boolean(this.lastEventId);
    if (mayGet204 && this.bufferedBytes + frame.length <= this.#host.limits.maxBufferedBytes) {
      this.writer.write(frame);
      return true;
    }
    // The headers wait for the subscriptions of this turn.
    if (this.headersSent || !this.#delivery?.isGathering) this.#respond(false);
    if (!this.isOpen) return false;
    const { maxBufferedBytes, bufferedBytesLimit } = this.#host.limits;
    const before = this.bufferedBytes;
    if (!this.#isDrained && before + frame.length > bufferedBytesLimit) {
      this.#report(new Error(`more than ${bufferedBytesLimit} bytes are buffered for one client`), 'write');
      this.abort('slow');
      return false;
    }
    if (this.#delivery === undefined) this.writer.write(frame);
    else this.#delivery.send(frame);
    if (!this.isOpen) return false;
    const isOver = before <= maxBufferedBytes && this.bufferedBytes > maxBufferedBytes;
    if (isOver) this.#timers.watchOverflow();
    return this.#isDrained;
  }

  /** Runs a write that the application did not ask for just now. It can throw if the response was wrapped. */
  #guard(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#report(error, 'write');
      this.abort('error');
    }
  }

  #guardFilter(filter: (event: FilterEvent) => boolean): (event: FilterEvent) => boolean {
    const bound = bindContext(filter);
    return event => {
      try {
        return bound(event);
      } catch (error) {
        this.#report(error, 'subscribe');
        return false;
      }
    };
  }

  #report(error: unknown, stage: ErrorContext['stage']): void {
    this.#host.report(error, { stage, stream: this });
  }

  #stopDelivery(): void {
    this.#delivery?.stop();
    this.#delivery = undefined;
  }

  // For its writer and timers

  get scheduler(): Scheduler {
    return this.#host.scheduler;
  }

  get limits(): StreamLimits {
    return this.#host.limits;
  }

  /** The client does not keep up. */
  get isLagging(): boolean {
    return this.headersSent && !this.#isClosed && !this.writer.hasRoom;
  }

  get isWaitingForBroker(): boolean {
    if (this.#host.context.sync === undefined || this.#isClosed) return false;
    return !this.headersSent || (!this.isOpen && this.#delivery !== undefined);
  }

  stopWaiting(): void {
    this.#delivery?.start();
    this.#respond(false);
    if (!this.isOpen) this.#delivery?.stopWaiting();
  }

  heartbeat(): void {
    if (!this.isOpen) return;
    this.#guard(() => this.writer.write(this.#delivery?.heartbeatMarker() ?? heartbeatComment));
  }

  onWritten(frame: Frame): void {
    this.#host.streamWritten(frame.events, frame.length);
  }

  onRoom(): void {
    this.#delivery?.resume();
    this.directSendsWritten();
  }

  onFull(): void {
    this.#host.streamLagging(this);
  }

  // For its delivery

  get context(): DeliveryContext {
    return this.#host.context;
  }

  get resetEvent(): string {
    return this.#host.limits.resetEvent;
  }

  get hasRoom(): boolean {
    return this.writer.hasRoom;
  }

  get hasUnsent(): boolean {
    return this.writer.bufferedBytes > 0;
  }

  isExcludedBy(name: string): boolean {
    return name === this.#id || name === this.client;
  }

  write(frame: Frame): void {
    this.writer.write(frame);
  }

  resumed(): void {
    this.#host.streamResumed(this);
  }

  resetQueued(reason: ResetReason, channels: readonly string[]): void {
    this.#host.streamReset(this, reason, channels);
  }

  directSendsWritten(): void {
    if (this.#isDrained) this.#waiters?.room();
  }

  deliveryReady(isFinished: boolean): void {
    this.#respond(isFinished);
  }

  deliveryOver(outcome: DeliveryOutcome, error?: unknown): void {
    if (outcome === 'error') this.#report(error, 'subscribe');
    this.#stopDelivery();
    this.end(outcome, outcome === 'error' ? createRetry() : undefined);
    this.#respond(false);
  }
}
