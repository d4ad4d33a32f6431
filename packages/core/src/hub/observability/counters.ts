import { errorCode } from '../../base/errors.ts';
import type { DeliveryLoop } from '../../delivery/delivery-loop.ts';
import type { Replay, ReplayMeter } from '../../delivery/replay.ts';
import type { Broker } from '../../log/broker/broker.ts';
import { type BrokerCall, timeCalls } from '../../log/broker/timed-broker.ts';
import type { ResetReason } from '../../protocol/reset.ts';
import type { CloseReason, EventStream } from '../../stream/event-stream.ts';
import { StreamMeter } from '../../stream/stats/stream-meter.ts';
import type { Stream } from '../../stream/stream.ts';
import type { AuthorizeCall } from '../access/authorizer.ts';
import type { BrokerStats, HubStats } from './hub-stats.ts';
import { Observers } from './observers.ts';

/** Counts what a hub does, and calls its observers. */
export class Counters {
  readonly totals = {
    opened: 0,
    closed: {} as HubStats['closed'],
    refused: 0,
    published: 0,
    publishErrors: {} as HubStats['publishErrors'],
    delivered: 0,
    deliveredBytes: 0,
    lagged: 0,
    resets: 0,
    resetReasons: {} as HubStats['resetReasons'],
    replayed: 0,
    replayedEvents: 0,
    replayedBytes: 0,
    dropped: 0,
    authorize: { allowed: 0, refused: 0, failed: 0, duration: 0 },
  };
  readonly broker = { calls: 0, callErrors: {} as BrokerStats['callErrors'] };
  readonly observers: Observers;

  /** @param onError called with errors of observers. */
  constructor(onError: (error: unknown) => void) {
    this.observers = new Observers(onError);
  }

  // Streams

  opened(stream: Stream): void {
    this.totals.opened += 1;
    if (!this.observers.isEmpty) this.measure(stream);
    this.observers.notify('opened', stream);
  }

  /** Gives a stream a meter. Without an observer, streams have no meter, which saves memory. */
  measure(stream: Stream): void {
    stream.writer.meter ??= new StreamMeter((status, ms) => {
      this.observers.notify('headersSent', stream, status, ms);
    });
  }

  closed(stream: Stream, reason: CloseReason): void {
    const { closed } = this.totals;
    closed[reason] = (closed[reason] ?? 0) + 1;
    const { summary } = stream.writer;
    if (summary !== undefined) this.observers.notify('closed', stream, reason, summary);
  }

  refused(stream: Stream): void {
    this.totals.refused += 1;
    this.observers.notify('refused', stream);
  }

  delivered(events: number, bytes: number): void {
    this.totals.delivered += events;
    this.totals.deliveredBytes += bytes;
    if (this.observers.hasDelivered) this.observers.notify('delivered', events, bytes);
  }

  lagging(stream: Stream): void {
    this.totals.lagged += 1;
    this.observers.notify('lagging', stream);
  }

  reset(stream: Stream, reason: ResetReason, channels: readonly string[]): void {
    const { resetReasons } = this.totals;
    this.totals.resets += 1;
    resetReasons[reason] = (resetReasons[reason] ?? 0) + 1;
    this.observers.notify('reset', stream, reason, channels);
  }

  began(stream: Stream, replay: ReplayMeter): void {
    replay.onEnd = result => this.#caughtUp(stream, result);
    if (!replay.isResumed) return;
    this.totals.replayed += 1;
    this.observers.notify('replayed', stream);
  }

  #caughtUp(stream: Stream, replay: Replay): void {
    if (replay.outcome !== 'new') {
      this.totals.replayedEvents += replay.events;
      this.totals.replayedBytes += replay.bytes;
    }
    this.observers.notify('caughtUp', stream, replay);
  }

  authorizeCalled(stream: EventStream, call: AuthorizeCall): void {
    const { authorize } = this.totals;
    authorize[call.outcome] += 1;
    authorize.duration += call.ms;
    this.observers.notify('authorizeCalled', stream, call);
  }

  // Channels

  published(channel: string): void {
    this.totals.published += 1;
    this.observers.notify('published', channel);
  }

  notPublished(error: unknown): void {
    const { publishErrors } = this.totals;
    const code = errorCode(error);
    publishErrors[code] = (publishErrors[code] ?? 0) + 1;
  }

  dropped(channel: string): void {
    this.totals.dropped += 1;
    this.observers.notify('dropped', channel);
  }

  // Delivery and broker

  follow({ meter }: DeliveryLoop): void {
    meter.onHeld = (ms, streams) => this.observers.notify('held', ms, streams);
    meter.onRound = (ms, streams) => this.observers.notify('round', ms, streams);
  }

  /** Wraps a broker, and counts its calls. */
  timed(broker: Broker): Broker {
    return timeCalls(broker, call => this.#brokerCalled(call));
  }

  #brokerCalled(call: BrokerCall): void {
    const { callErrors } = this.broker;
    this.broker.calls += 1;
    if (call.error !== undefined) callErrors[call.error] = (callErrors[call.error] ?? 0) + 1;
    this.observers.notify('brokerCalled', call);
  }
}
