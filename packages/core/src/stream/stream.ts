import { invalid } from '../base/option-checks.ts';
import type { DeliveryContext, DeliveryOutcome, DeliveryTarget } from '../delivery/delivery-target.ts';
import type { ReplayMeter } from '../delivery/replay.ts';
import type { SubscribeOptions } from '../delivery/subscriptions/subscribe-options.ts';
import { type ChannelName, namesOf } from '../protocol/channel-name.ts';
import { Comment } from '../protocol/comment.ts';
import { type EventFields, encode } from '../protocol/event.ts';
import type { Position } from '../protocol/event-id.ts';
import { createFrame } from '../protocol/frame.ts';
import { readLastEventId, type StreamRequest } from '../protocol/last-event-id.ts';
import type { ResetReason } from '../protocol/reset.ts';
import { type GuardedStream, StreamAccess } from './channels/stream-access.ts';
import { subscribeTo } from './channels/subscribing.ts';
import type { CloseReason, ErrorContext, EventStream } from './event-stream.ts';
import type { EndOptions } from './response/closing.ts';
import { rejectRequest } from './response/rejection.ts';
import { StreamResponse } from './response/response.ts';
import { responseKind } from './response/response-kind.ts';
import type { ResponseOwner } from './response/response-owner.ts';
import type { StreamHost } from './response/stream-host.ts';
import type { Writer } from './response/writer.ts';
import { RETRY_LATER, randomBetween } from './retry.ts';
import { sendDirect } from './sending/direct-send.ts';
import { sendSource } from './sending/send-source.ts';
import type { SourceInput, SourceOptions } from './sending/source-options.ts';
import { readStreamStats } from './stats/read-stream-stats.ts';
import type { StreamStats } from './stats/stream-stats.ts';
import { readExpiry, type StreamSettings } from './stream-options.ts';
import type { Transport } from './transport.ts';

/**
 * Implements {@link EventStream}: sends the frames of the application and the entries of channels to one client.
 *
 * The states of a stream are those of its {@link StreamResponse}. The first subscription creates a {@link
 * StreamDelivery}, which has its own states.
 */
export class Stream implements EventStream, ResponseOwner, DeliveryTarget, GuardedStream {
  readonly client: string | undefined;
  readonly data: unknown;
  readonly lastEventId: string | undefined;
  /**
   * The newest position when the stream was opened. Control messages up to this position do not apply to the stream.
   * Absent: the position was not known.
   */
  openedAt: Position | undefined;
  /** Seconds since 1970. In ms it would not be a small integer, and would take extra memory in every stream. */
  readonly #openedTime = Math.floor(Date.now() / 1_000);
  readonly #host: StreamHost<Stream>;
  readonly response: StreamResponse;
  #id: string | undefined;
  /** The application has called `send()` or `stream()`. */
  hasSent = false;

  constructor(
    host: StreamHost<Stream>,
    transport: Transport,
    request: StreamRequest,
    options: StreamSettings,
  ) {
    this.#host = host;
    this.client = options.client;
    this.data = options.data;
    this.lastEventId = readLastEventId(request);
    this.openedAt = host.context.log.now;
    const kind = responseKind(request.method, options.markers);
    this.response = new StreamResponse(host, this, transport, kind, options, request.acceptEncoding);
  }

  // EventStream

  get id(): string {
    if (this.#id === undefined) {
      this.#id = crypto.randomUUID();
      if (!this.response.isClosed) this.#host.streamNamed(this);
    }
    return this.#id;
  }

  get signal(): AbortSignal {
    const { waiters, isOpen } = this.response;
    const { signal } = waiters;
    if (!isOpen) waiters.abortSignal();
    return signal;
  }

  get closed(): Promise<CloseReason> {
    const { waiters, isClosed, closing } = this.response;
    const { closed } = waiters;
    if (isClosed && closing !== undefined) waiters.resolveClosed(closing.reason);
    return closed;
  }

  get bufferedBytes(): number {
    return this.response.bufferedBytes;
  }

  stats(): StreamStats {
    return readStreamStats(this.response, this.#id, this.#openedTime * 1_000);
  }

  send(data: unknown, fields?: EventFields): boolean {
    if (this.response.delivery !== undefined && fields?.id !== undefined && this.isOpen) {
      throw invalid('id', 'left out on a stream with subscriptions', fields.id, 'invalid-field');
    }
    this.hasSent = true;
    return (
      this.isOpen &&
      sendDirect(this, this.response, createFrame(encode(data, fields), 1, fields?.id !== undefined))
    );
  }

  comment(text = ''): boolean {
    return this.isOpen && sendDirect(this, this.response, new Comment(text));
  }

  drained(): Promise<void> {
    const isReady = !this.isOpen || this.response.isDrained;
    return isReady ? Promise.resolve() : this.response.waiters.drained;
  }

  stream<T>(source: SourceInput<T>, options: SourceOptions<T> = {}): Promise<boolean> {
    this.hasSent = true;
    return sendSource(this, this.response, source, options);
  }

  subscribe(channels: ChannelName | readonly ChannelName[], options?: SubscribeOptions<EventStream>): this {
    subscribeTo(this, this.response, channels, options);
    return this;
  }

  unsubscribe(channels: ChannelName | readonly ChannelName[]): this {
    this.response.delivery?.unsubscribe(namesOf(channels));
    return this;
  }

  renew(expiresAt: Date | number): void {
    const time = readExpiry(expiresAt);
    if (this.isOpen) this.response.timers.renew(time);
  }

  close(): void {
    this.end('closed');
  }

  // For the hub; see StreamResponse

  /** Whether control messages can name the stream: it has an owner, or its id was read. */
  get isNamed(): boolean {
    return this.client !== undefined || this.#id !== undefined;
  }

  get isOpen(): boolean {
    return this.response.isOpen;
  }

  get hasReceivedAll(): boolean {
    return this.response.hasReceivedAll;
  }

  reject(reason: CloseReason, retry?: number): void {
    rejectRequest(this.response, reason, retry);
  }

  end(reason: CloseReason, options?: EndOptions): void {
    this.response.end(reason, options);
  }

  abort(reason: CloseReason): void {
    this.response.abort(reason);
  }

  // Called by its response

  recheckDue(): void {
    this.#host.recheck(this);
  }

  report(error: unknown, stage: ErrorContext['stage']): void {
    this.#host.report(error, { stage, stream: this });
  }

  responseClosed(reason: CloseReason): void {
    this.#host.streamClosed(this, reason, this.#id);
  }

  responseFull(): void {
    this.#host.streamLagging(this);
  }

  // Called by its delivery

  get context(): DeliveryContext {
    return this.#host.context;
  }

  get writer(): Writer {
    return this.response.writer;
  }

  get canReconnect(): boolean {
    return true;
  }

  /** Creates an object at each access. Its delivery reads this once. */
  get access(): StreamAccess | undefined {
    const { guard } = this.#host;
    return guard && new StreamAccess(guard, this, this.response);
  }

  isExcludedBy(name: string): boolean {
    return name === this.#id || name === this.client;
  }

  get hasMarkers(): boolean {
    return this.response.kind.hasMarkers;
  }

  began(replay: ReplayMeter): void {
    this.#host.streamBegan(this, replay);
  }

  resetQueued(reason: ResetReason, channels: readonly string[]): void {
    this.#host.streamReset(this, reason, channels);
  }

  directSendsWritten(): void {
    this.response.reportDrained();
  }

  deliveryReady(isFinished: boolean): void {
    this.response.respond(isFinished ? 204 : 200);
  }

  deliveryOver(outcome: DeliveryOutcome, error?: unknown, stage: 'subscribe' | 'write' = 'subscribe'): void {
    if (outcome === 'error') this.report(error, stage);
    this.response.stopDelivery();
    if (outcome === 'lost') this.response.closeAsLost();
    // Only the client of a GET resumes from its last id, so only its stream may end properly.
    else if (outcome === 'cut-short' && !this.response.kind.isRepeatable) this.abort('closed');
    else {
      const reason = outcome === 'cut-short' ? 'closed' : outcome;
      this.end(reason, reason === 'error' ? { retry: randomBetween(RETRY_LATER) } : {});
      this.response.respond(200);
    }
  }
}
