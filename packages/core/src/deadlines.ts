import type { Timed } from './scheduler.ts';
import type { CloseReason } from './stream.ts';
import type { Writer } from './writer.ts';

/** The clock's times. Infinity: switched off. */
export interface Limits {
  /** Ms of silence. */
  readonly heartbeat: number;
  /** Ms without any of the queued bytes moving. */
  readonly stallTimeout: number;
  /** Ms that a stream lives at most. */
  readonly maxAge: number;
}

/** What is done to a stream when its time has come. */
export interface DeadlinesHost {
  /** Ms for which its client may be kept waiting for an answer; undefined once it has one. */
  readonly patience: number | undefined;
  answer(): void;
  beat(): void;
  finish(reason: CloseReason): void;
  destroy(reason: CloseReason): void;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Everything about one stream that is a matter of time. */
export class Deadlines implements Timed {
  slot: Set<Timed> | undefined;
  readonly #host: DeadlinesHost;
  readonly #writer: Writer;
  readonly #limits: Limits;
  /** By the clock of the world, in ms. */
  readonly #expiresAt: number | undefined;
  readonly #closesAt: number | undefined;

  constructor(
    host: DeadlinesHost,
    writer: Writer,
    limits: Limits,
    now: number,
    expiresAt: Date | number | undefined,
  ) {
    this.#host = host;
    this.#writer = writer;
    this.#limits = limits;
    const closesAt = now + limits.maxAge * (0.8 + 0.2 * Math.random());
    // What never comes takes no memory.
    this.#expiresAt = Number.isFinite(Number(expiresAt)) ? Number(expiresAt) : undefined;
    // Streams that began together must not end, and come back, together.
    this.#closesAt = Number.isFinite(closesAt) ? Math.ceil(closesAt) : undefined;
  }

  visit(now: number): number {
    const { heartbeat, stallTimeout } = this.#limits;
    if (now >= this.#answerBy) this.#host.answer();
    if (this.#expiresAt !== undefined && Date.now() >= this.#expiresAt) this.#host.finish('expired');
    if (this.#closesAt !== undefined && now >= this.#closesAt) this.#host.finish('maxAge');
    if (this.#writer.stalledFor(now) >= stallTimeout) this.#host.destroy('stalled');
    if (this.#writer.hasRoom && now - this.#writer.lastWriteAt >= heartbeat) this.#host.beat();
    return this.next(now);
  }

  /** When to visit next. */
  next(now: number): number {
    const { heartbeat, stallTimeout } = this.#limits;
    const silence = this.#writer.hasRoom ? now - this.#writer.lastWriteAt : 0;
    const expiry = this.#expiresAt === undefined ? NEVER : now + this.#expiresAt - Date.now();
    const closes = this.#closesAt ?? NEVER;
    return Math.min(now + heartbeat - silence, now + stallTimeout / 4, expiry, closes, this.#answerBy);
  }

  get #answerBy(): number {
    return this.#writer.lastWriteAt + (this.#host.patience ?? NEVER);
  }
}
