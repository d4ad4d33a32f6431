import type { StreamDelivery } from '../../delivery/stream-delivery.ts';
import type { Frame } from '../../protocol/frame.ts';
import type { CloseReason, ErrorContext } from '../event-stream.ts';
import type { StreamSettings } from '../stream-options.ts';
import { type TimedStream, Timers } from '../timers.ts';
import type { Transport, TransportListener } from '../transport.ts';
import { Waiters } from '../waiters.ts';
import { beginSoon } from './begin-soon.ts';
import { type Closing, type EndOptions, writeEnd } from './closing.ts';
import { createBody, ResponseHead, type Status } from './response-head.ts';
import type { ResponseKind } from './response-kind.ts';
import type { ResponseHost, ResponseOwner } from './response-owner.ts';
import { Writer, type WriterListener } from './writer.ts';

/**
 * The response of one stream, from its headers to its end.
 *
 * ```
 *          headers sent          end(reason)              last byte read
 *  pending ────────────► open ────────────────► closing ────────────────► closed
 *     │    end(reason)                             ▲                        ▲
 *     └────────────────────────────────────────────┘                        │
 *                         (headers are sent first)       abort(reason), or the client disconnects: from any state
 * ```
 *
 * A `closing` response accepts no more frames, and writes the queued ones. A delivery, if there is one, decides when the
 * response begins and ends, because the client first receives earlier entries.
 */
export class StreamResponse implements TransportListener, WriterListener, TimedStream {
  readonly host: ResponseHost;
  readonly kind: ResponseKind;
  readonly writer: Writer;
  readonly timers: Timers;
  /** Set from the first subscription until the response is over. */
  delivery: StreamDelivery | undefined;
  isClosed = false;
  closing: Closing | undefined;
  readonly #owner: ResponseOwner;
  #waiters: Waiters | undefined;

  constructor(
    host: ResponseHost,
    owner: ResponseOwner,
    transport: Transport,
    kind: ResponseKind,
    options: StreamSettings,
    acceptEncoding: string | null | undefined,
  ) {
    this.host = host;
    this.kind = kind;
    this.#owner = owner;
    const head = new ResponseHead(kind, owner.lastEventId, options);
    this.writer = new Writer(transport, this, head, createBody(kind, host.limits, acceptEncoding));
    this.timers = new Timers(this, options.expiresAt);
    transport.listener = this;
  }

  /** Whether the response accepts frames. After that it may still have frames to write. */
  get isOpen(): boolean {
    return this.closing === undefined;
  }

  /** The headers were sent, or will never be sent. */
  get headersSent(): boolean {
    return this.writer.head === undefined;
  }

  /** The client has received a whole source, and the stream has no subscriptions. */
  get hasReceivedAll(): boolean {
    return this.delivery === undefined && this.writer.head?.isFinished === true;
  }

  get waiters(): Waiters {
    this.#waiters ??= new Waiters();
    return this.#waiters;
  }

  get bufferedBytes(): number {
    return this.isClosed ? 0 : this.writer.bufferedBytes + (this.delivery?.writer.bufferedBytes ?? 0);
  }

  get isDrained(): boolean {
    return this.writer.hasRoom && !this.delivery?.writer.bufferedBytes;
  }

  start(): void {
    this.timers.start();
    beginSoon(this, this.host.responses);
  }

  /** Called after the handler has had time to fail synchronously and to subscribe to channels. */
  begin(): void {
    if (this.delivery !== undefined) this.delivery.opener.start();
    else {
      // The last frame is queued first, so that it is sent together with the headers.
      if (!this.isOpen) this.#finish();
      this.respond(this.hasReceivedAll ? 204 : 200);
    }
  }

  /** Sends the headers. With a status other than 200, the response has no body and ends. */
  respond(status: Status): void {
    if (this.headersSent || this.isClosed) return;
    try {
      this.writer.sendHeaders(status, this.delivery !== undefined);
    } catch (error) {
      if (this.#failureReason(error, 'open') === 'refused') this.#close('refused');
      else this.abort('error');
      return;
    }
    if (status === 200) return;
    this.stopDelivery();
    this.end(status === 410 ? 'lost' : 'ended');
  }

  /** Closes the response of a client that has missed events and receives no resets. */
  closeAsLost(): void {
    if (this.headersSent) this.abort('lost');
    else this.respond(410);
  }

  /** Returns `refused` if other code has sent the response. Reports any other error. */
  #failureReason(error: unknown, stage: ErrorContext['stage']): 'refused' | 'error' {
    if ((error as { code?: unknown } | null)?.code === 'head-sent') return 'refused';
    this.#owner.report(error, stage);
    return 'error';
  }

  /** Ends the response after all events that were sent and published before. */
  end(reason: CloseReason, options: EndOptions = {}): void {
    if (this.isClosed) return;
    this.beginEnd(reason, options);
    this.#guard(() => {
      if (this.delivery === undefined) this.#finish();
      else this.delivery.close();
    });
  }

  /** Accepts no more frames, and delivers no event that is published from now on. Call `end` afterwards: it writes. */
  beginEnd(reason: CloseReason, options: EndOptions): void {
    this.delivery?.writer.close(options.after);
    if (this.closing === undefined) {
      const closesConnection = options.closesConnection || this.host.isDraining;
      this.closing = { ...options, reason, closesConnection };
      this.#waiters?.abortSignal();
    } else if (options.closesConnection) this.closing.closesConnection = true;
    if (this.isWaitingForBroker) this.timers.watchBroker();
  }

  /** Aborts the response and its connection immediately. Queued frames are dropped. */
  abort(reason: CloseReason): void {
    if (this.isClosed) return;
    this.closing ??= { reason, closesConnection: true };
    this.#waiters?.abortSignal();
    try {
      this.writer.abort();
    } catch (error) {
      this.#owner.report(error, 'write');
    }
    this.#close(reason);
  }

  #finish(): void {
    writeEnd(this.writer, this.closing as Closing, this.kind);
  }

  #close(reason: CloseReason): void {
    if (this.isClosed) return;
    this.closing ??= { reason };
    this.isClosed = true;
    this.writer.drop();
    this.stopDelivery();
    this.timers.stop();
    this.#waiters?.abortSignal();
    this.#waiters?.resolveClosed(this.closing.reason);
    this.#owner.responseClosed(this.closing.reason);
  }

  stopDelivery(): void {
    this.delivery?.stop();
    this.delivery = undefined;
  }

  /** Runs a write that may have no caller to handle its error. A middleware that wraps the response may throw. */
  #guard(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#owner.report(error, 'write');
      this.abort('error');
    }
  }

  drained(): void {
    this.writer.drained();
  }

  closed(): void {
    this.#close(this.writer.wasRefused ? 'refused' : 'disconnected');
  }

  failed(error: unknown): void {
    if (this.#failureReason(error, 'handler') === 'refused') this.#close('refused');
    else this.end('error');
  }

  get isWaitingForBroker(): boolean {
    const isWaiting = !this.headersSent || (!this.isOpen && this.delivery !== undefined);
    return this.host.mayWait && !this.isClosed && isWaiting;
  }

  stopWaiting(): void {
    this.delivery?.opener.start();
    this.respond(200);
    if (!this.isOpen) this.delivery?.stopWaiting();
  }

  recheckDue(): void {
    if (this.isOpen) this.#owner.recheckDue();
  }

  heartbeat(): void {
    if (!this.isOpen) return;
    this.#guard(() => {
      const { heartbeat } = this.host.limits;
      const marker = this.delivery?.heartbeatMarker(heartbeat.eventFor(this.kind));
      this.writer.write(marker ?? heartbeat.contentFor(this.kind));
    });
  }

  onWritten(frame: Frame): void {
    this.host.streamWritten(frame.events, frame.length);
  }

  onRoom(): void {
    this.delivery?.resume();
    this.reportDrained();
  }

  reportDrained(): void {
    if (this.isDrained) this.#waiters?.resolveDrained();
  }

  onFull(): void {
    this.#owner.responseFull();
  }
}
