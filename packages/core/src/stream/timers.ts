import type { Scheduler, Timed } from '../base/scheduler.ts';
import type { HubSettings } from '../hub/options.ts';
import type { CloseReason } from './event-stream.ts';
import type { Writer } from './writer.ts';

/** What has deadlines, and what is done to it when its time has come. */
export interface DeadlinesHost {
  readonly scheduler: Scheduler;
  readonly settings: HubSettings;
  readonly writer: Writer;
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
  /** By the clock of the world, in ms. */
  readonly #expiresAt: number | undefined;
  readonly #closesAt: number | undefined;

  constructor(host: DeadlinesHost, expiresAt: Date | number | undefined) {
    this.#host = host;
    const closesAt = host.scheduler.now + host.settings.maxAge * (0.8 + 0.2 * Math.random());
    // What never comes takes no memory.
    this.#expiresAt = expiresAt && Number(expiresAt);
    // Streams that began together must not end, and come back, together.
    this.#closesAt = Number.isFinite(closesAt) ? Math.ceil(closesAt) : undefined;
  }

  visit(now: number): number {
    const host = this.#host;
    const { writer, settings } = host;
    if (now >= this.#answerBy) host.answer();
    if (this.#expiresAt !== undefined && Date.now() >= this.#expiresAt) host.finish('expired');
    if (this.#closesAt !== undefined && now >= this.#closesAt) host.finish('maxAge');
    writer.look();
    if (writer.stalledFor(now) >= settings.stallTimeout) host.destroy('stalled');
    if (writer.hasRoom && now - writer.lastWriteAt >= settings.heartbeat) host.beat();
    return this.next(now);
  }

  /** When to visit next. */
  next(now: number): number {
    const { writer, settings } = this.#host;
    const { heartbeat, stallTimeout } = settings;
    const silence = writer.hasRoom ? now - writer.lastWriteAt : 0;
    const expiry = this.#expiresAt === undefined ? NEVER : now + this.#expiresAt - Date.now();
    const closes = this.#closesAt ?? NEVER;
    return Math.min(now + heartbeat - silence, now + stallTimeout / 4, expiry, closes, this.#answerBy);
  }

  get #answerBy(): number {
    const { writer, patience } = this.#host;
    return writer.lastWriteAt + (patience ?? NEVER);
  }
}
