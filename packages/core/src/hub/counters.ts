import { bindContext } from '../base/async-context.ts';
import { isThenable } from '../base/deferred.ts';
import type { BrokerStats } from '../log/broker-health.ts';
import type { CloseReason } from '../stream/event-stream.ts';
import type { Observer } from './observer.ts';

/** What a hub holds now, and what it has done since it was created. In this process only. */
export interface HubStats {
  /** Open streams. */
  streams: number;
  /** Clients that have a stream. */
  clients: number;
  /** Channels in memory: they have subscribers, or retain events. */
  channels: number;
  /** Bytes of all histories, about. */
  historyBytes: number;
  /** Streams whose client does not keep up. */
  lagging: number;
  /** Bytes that streams have yet to hand to the operating system. */
  bufferedBytes: number;
  /** Streams that were opened. */
  opened: number;
  /** Of these, how many have closed, by reason. */
  closed: Partial<Record<CloseReason, number>>;
  /** Requests that were turned away, because of a limit or because the hub was closing. */
  refused: number;
  /** Events accepted from this process. */
  published: number;
  /** Events handed to transports. */
  delivered: number;
  deliveredBytes: number;
  resets: number;
  replayed: number;
  /** Channels dropped from memory. */
  dropped: number;
  /** The connection to the broker; undefined without a broker. */
  broker: BrokerStats | undefined;
}

/** Counts what a hub does, and calls its observer. */
export class Counters {
  readonly totals = {
    opened: 0,
    closed: {} as HubStats['closed'],
    refused: 0,
    published: 0,
    delivered: 0,
    deliveredBytes: 0,
    resets: 0,
    replayed: 0,
    dropped: 0,
  };
  readonly #observer: Observer;
  readonly #onError: (error: unknown) => void;
  readonly #call: (callback: () => void) => void;

  constructor(observer: Observer, onError: (error: unknown) => void) {
    this.#observer = observer;
    this.#onError = onError;
    this.#call = bindContext((callback: () => void) => callback());
  }

  closed(reason: CloseReason): void {
    const { closed } = this.totals;
    closed[reason] = (closed[reason] ?? 0) + 1;
  }

  delivered(events: number, bytes: number): void {
    this.totals.delivered += events;
    this.totals.deliveredBytes += bytes;
    // Called for every write, and most hubs have no such callback.
    if (this.#observer.delivered !== undefined) this.notify('delivered', events, bytes);
  }

  /** Calls one callback of the observer, if it is there. */
  notify<Name extends keyof Observer>(name: Name, ...args: Parameters<NonNullable<Observer[Name]>>): void {
    const observer = this.#observer as Partial<Record<Name, (...args: unknown[]) => unknown>>;
    if (observer[name] === undefined) return;
    this.#call(() => {
      try {
        const result = observer[name]?.(...args);
        // It may be async.
        if (isThenable(result)) Promise.resolve(result).catch(this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    });
  }
}
