import { isThenable } from '../base/deferred.ts';
import type { ResetReason } from '../protocol/reset.ts';
import type { CloseReason, EventStream } from '../stream/event-stream.ts';

/**
 * Is told what a hub does, as it does it: to count, to log, to export. Every callback is optional, and cheap enough to
 * leave on. What one throws, or rejects with, goes to `onError`.
 */
export interface Observer {
  /** A stream has been accepted. */
  opened?(stream: EventStream): void;
  /** A stream's response is over. Also called for one that was refused, and so never opened. */
  closed?(stream: EventStream, reason: CloseReason): void;
  /** An event has been accepted from this process. */
  published?(channel: string): void;
  /** Events have been handed to one stream's transport, with so many bytes, framing not counted. */
  delivered?(events: number, bytes: number): void;
  /** A stream's peer does not keep up: what comes next waits for it. Called once for each time it falls behind. */
  lagging?(stream: EventStream): void;
  /** A client is told that it has missed something. */
  reset?(stream: EventStream, reason: ResetReason, channels: readonly string[]): void;
  /** A client has come back, and goes on after the last event it has seen. */
  replayed?(stream: EventStream): void;
  /** A channel has been forgotten: nobody followed it, and what it kept was too old. */
  dropped?(channel: string): void;
}

/** What a hub holds now, and what it has done since it was made. Of this node alone. */
export interface HubStats {
  /** Open streams. */
  streams: number;
  /** Clients that have a stream. */
  clients: number;
  /** Channels that are followed or keep something. */
  channels: number;
  /** Bytes that the histories take, about. */
  historyBytes: number;
  /** Streams whose peer does not keep up. */
  lagging: number;
  /** Bytes that streams have yet to hand to the system. */
  bufferedBytes: number;
  /** Streams there have been. */
  opened: number;
  /** Of these, how many have closed, by reason, those that were refused included. */
  closed: Partial<Record<CloseReason, number>>;
  /** Events accepted from this process. */
  published: number;
  /** Events handed to transports. */
  delivered: number;
  deliveredBytes: number;
  resets: number;
  replayed: number;
  /** Channels forgotten. */
  dropped: number;
}

/** Counts what a hub does, and tells its observer. */
export class Meter {
  /** What has been done since the hub was made. */
  readonly totals = {
    opened: 0,
    closed: {} as HubStats['closed'],
    published: 0,
    delivered: 0,
    deliveredBytes: 0,
    resets: 0,
    replayed: 0,
    dropped: 0,
  };
  readonly #observer: Observer;
  readonly #onError: (error: unknown) => void;

  constructor(observer: Observer, onError: (error: unknown) => void) {
    this.#observer = observer;
    this.#onError = onError;
  }

  streamOpened(stream: EventStream): void {
    this.totals.opened += 1;
    this.#tell('opened', stream);
  }

  streamClosed(stream: EventStream, reason: CloseReason): void {
    const { closed } = this.totals;
    closed[reason] = (closed[reason] ?? 0) + 1;
    this.#tell('closed', stream, reason);
  }

  eventPublished(channel: string): void {
    this.totals.published += 1;
    this.#tell('published', channel);
  }

  eventsDelivered(events: number, bytes: number): void {
    this.totals.delivered += events;
    this.totals.deliveredBytes += bytes;
    // As often as there are writes: most hubs have nobody to tell.
    if (this.#observer.delivered !== undefined) this.#tell('delivered', events, bytes);
  }

  streamLagging(stream: EventStream): void {
    this.#tell('lagging', stream);
  }

  streamReset(stream: EventStream, reason: ResetReason, channels: readonly string[]): void {
    this.totals.resets += 1;
    this.#tell('reset', stream, reason, channels);
  }

  streamReplayed(stream: EventStream): void {
    this.totals.replayed += 1;
    this.#tell('replayed', stream);
  }

  channelDropped(channel: string): void {
    this.totals.dropped += 1;
    this.#tell('dropped', channel);
  }

  #tell<Name extends keyof Observer>(name: Name, ...what: Parameters<NonNullable<Observer[Name]>>): void {
    try {
      const observer = this.#observer as Partial<Record<Name, (...what: unknown[]) => unknown>>;
      const told = observer[name]?.(...what);
      // It may be async: what it rejects with is caught like what it throws.
      if (isThenable(told)) Promise.resolve(told).catch(this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }
}
