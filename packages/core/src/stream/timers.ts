import type { Scheduler, Timed } from '../base/scheduler.ts';
import type { CloseReason } from './event-stream.ts';
import type { Writer } from './response/writer.ts';
import type { StreamLimits } from './stream-limits.ts';

/** What the timers need of their stream. */
export interface TimedStream {
  readonly host: { readonly scheduler: Scheduler; readonly limits: StreamLimits };
  readonly writer: Writer;
  readonly bufferedBytes: number;
  /** The headers or the end of the response wait for a broker. */
  readonly isWaitingForBroker: boolean;
  stopWaiting(): void;
  recheckDue(): void;
  heartbeat(): void;
  end(reason: CloseReason): void;
  abort(reason: CloseReason): void;
}

/** Maximum ms for which the headers of a response wait for a broker. Then they are sent without its entries. */
const BROKER_TIMEOUT = 1_000;

/** Maximum ms for which the end of a response waits for a broker, so that the client receives its position. */
const CLOSE_TIMEOUT = 5_000;

/** ms without progress after which a stream above `maxBufferedBytes` closes as `slow`. */
const OVERFLOW_TIMEOUT = 1_000;

const NEVER = Number.POSITIVE_INFINITY;

/** The heartbeats and time limits of one stream, in one entry of the scheduler. */
export class Timers implements Timed {
  slot: Set<Timed> | undefined;
  readonly #stream: TimedStream;
  /** ms since 1970. */
  #expiresAt: number | undefined;
  #recheckAt: number | undefined;
  readonly #closesAt: number | undefined;
  /** Set when the stream closes and its end may wait for a broker. */
  #closeTimeout: number | undefined;

  constructor(stream: TimedStream, expiresAt: Date | number | undefined) {
    this.#stream = stream;
    const { scheduler, limits } = stream.host;
    const closesAt = scheduler.now + limits.maxAge * (0.8 + 0.2 * Math.random());
    // Undefined instead of Infinity, which would take extra memory in every stream.
    this.#expiresAt = expiresAt && Number(expiresAt);
    // Random, so that streams that were opened together are not rechecked together.
    this.#recheckAt = Number.isFinite(limits.recheck)
      ? Math.ceil(scheduler.now + limits.recheck * Math.random())
      : undefined;
    this.#closesAt = Number.isFinite(closesAt) ? Math.ceil(closesAt) : undefined;
  }

  start(): void {
    const { scheduler } = this.#stream.host;
    scheduler.add(this, this.#next(scheduler.now));
  }

  stop(): void {
    this.#stream.host.scheduler.delete(this);
  }

  /** Called when the stream exceeds `maxBufferedBytes`. Closes it unless bytes move within {@link OVERFLOW_TIMEOUT}. */
  watchOverflow(): void {
    const { writer, host } = this.#stream;
    const { scheduler } = host;
    writer.stalledFor(scheduler.now);
    scheduler.expedite(this, scheduler.now + OVERFLOW_TIMEOUT);
  }

  /** Replaces the time of expiry. @param expiresAt ms since 1970. */
  renew(expiresAt: number): void {
    const { scheduler } = this.#stream.host;
    this.#expiresAt = expiresAt;
    scheduler.expedite(this, scheduler.now + Math.max(0, expiresAt - Date.now()));
  }

  /** Called when a stream closes whose end may have to wait for a broker. Limits the wait to {@link CLOSE_TIMEOUT}. */
  watchBroker(): void {
    const { scheduler } = this.#stream.host;
    this.#closeTimeout ??= scheduler.now + CLOSE_TIMEOUT;
    scheduler.expedite(this, this.#closeTimeout);
  }

  run(now: number): number {
    const stream = this.#stream;
    const { writer, host } = stream;
    const { limits } = host;
    if (now >= this.#brokerTimeout) stream.stopWaiting();
    if (this.#expiresAt !== undefined && Date.now() >= this.#expiresAt) stream.end('expired');
    if (this.#closesAt !== undefined && now >= this.#closesAt) stream.end('maxAge');
    if (this.#recheckAt !== undefined && now >= this.#recheckAt) {
      this.#recheckAt = now + limits.recheck;
      stream.recheckDue();
    }
    writer.checkRoom();
    const stalledFor = writer.stalledFor(now);
    if (stalledFor >= limits.stallTimeout) stream.abort('stalled');
    else if (stalledFor >= OVERFLOW_TIMEOUT && this.#isOverflowing) stream.abort('slow');
    if (writer.hasRoom && now - writer.lastWriteAt >= limits.heartbeat.interval) stream.heartbeat();
    return this.#next(now);
  }

  get #isOverflowing(): boolean {
    return this.#stream.bufferedBytes > this.#stream.host.limits.maxBufferedBytes;
  }

  /** The time of the next run, by the scheduler's clock. */
  #next(now: number): number {
    const { writer, host } = this.#stream;
    const { heartbeat, stallTimeout } = host.limits;
    const silence = writer.hasRoom ? now - writer.lastWriteAt : 0;
    return Math.min(
      now + heartbeat.interval - silence,
      now + stallTimeout / 4,
      this.#expiresAt === undefined ? NEVER : now + this.#expiresAt - Date.now(),
      this.#closesAt ?? NEVER,
      this.#recheckAt ?? NEVER,
      this.#brokerTimeout,
      this.#isOverflowing ? now + OVERFLOW_TIMEOUT / 2 : NEVER,
    );
  }

  get #brokerTimeout(): number {
    const { writer, isWaitingForBroker } = this.#stream;
    if (!isWaitingForBroker) return NEVER;
    return this.#closeTimeout ?? writer.lastWriteAt + BROKER_TIMEOUT;
  }
}
