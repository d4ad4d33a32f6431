import { nextIteration } from '../../base/event-loop.ts';
import type { ChannelWaiter } from '../../log/listener.ts';
import { parseId, UNKNOWN_ID } from '../../protocol/event-id.ts';
import type { Frame } from '../../protocol/frame.ts';
import { createMarker } from '../../protocol/marker.ts';
import type { DeliveryContext } from '../delivery-target.ts';
import { findStart, type Start } from './resume.ts';
import type { Beginning, Subscription } from './subscription.ts';
import { needReread, type Subscriptions } from './subscriptions.ts';

/**
 * - `gathering`: subscriptions are collected, until the headers are due or to the end of the iteration.
 * - `opening`: the broker is asked for the channels, before the stream begins.
 * - `live`: entries are delivered.
 * - `adding`: the broker is asked for channels that were subscribed to later. Nothing is delivered meanwhile.
 * - `over`.
 */
type Phase = 'gathering' | 'opening' | 'live' | 'adding' | 'over';

/** Says which channels a stream may follow. */
export interface OpenerAccess {
  /** Whether that is known of these subscriptions. Those of channels that it may not follow are removed. */
  areAllowed(subscriptions: readonly Subscription[], isAtStart: boolean): boolean;
  /** The last answer was no: the opener waits. */
  readonly isAsking: boolean;
  readonly isHolding: boolean;
}

/** The delivery of the opener's stream: it has what they share, so that each stream has it once. */
export interface OpenerOwner {
  readonly context: DeliveryContext;
  readonly subscriptions: Subscriptions;
  /** Absent: the stream may follow every channel. */
  readonly access: OpenerAccess | undefined;
  /** The stream begins. Undefined: all channels have ended, and the client has received everything. */
  begin(start: Start | undefined): void;
  /** Subscriptions that were made later begin. */
  beginAdded(added: readonly Subscription[]): void;
  /** The broker, or the application, is asked: nothing can be delivered until it has answered. */
  waitForChannels(): void;
  fail(error: unknown): void;
}

/**
 * Opens the channels of one stream: asks the broker for what its subscriptions lack, and finds where each begins.
 *
 * ```
 *             start()            loaded()           add()
 *  gathering ────────► opening ──────────► live ◄───────────► adding
 *                         ▲                  │     loaded()      │
 *                         └── startOver() ───┴───────────────────┘      any ── stop() ──► over
 * ```
 *
 * Without a broker there is nothing to wait for: `opening` and `adding` last no time. Before the stream begins, the
 * opener also asks for channels that were subscribed to, or whose entries were lost, in the meantime. A broker that
 * cannot be reached keeps it in `opening` or `adding`, if it lacks something. Before any of that, the application is
 * asked whether the stream may follow the channels, if it wants to be.
 */
export class ChannelOpener {
  /** The id after which the stream begins. */
  lastEventId: string | undefined;
  #phase: Phase = 'gathering';
  /** What waits for the broker now. */
  #waiter: ChannelWaiter | undefined;
  readonly #owner: OpenerOwner;

  constructor(owner: OpenerOwner) {
    this.#owner = owner;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get hasBegun(): boolean {
    return this.#phase === 'live' || this.#phase === 'adding';
  }

  /** Something of a channel has to wait for the application. */
  get isHolding(): boolean {
    return this.#owner.access?.isHolding === true;
  }

  /** Whether a stream that closes waits for it. A client that has an id resumes from it, and need not wait. */
  get mustBeginBeforeClosing(): boolean {
    if (this.hasBegun) return this.#phase === 'live';
    return this.#owner.context.sync === undefined || this.lastEventId === undefined;
  }

  /**
   * A marker with the client's Last-Event-ID, or `0-0` if it has no valid one. Undefined once the stream has begun, except
   * if its position may be older than the client's id: the hub has a broker, the client sent an id, and no subscription
   * has a start yet.
   */
  keptIdMarker(): Frame | undefined {
    const { lastEventId } = this;
    const { context, subscriptions } = this.#owner;
    const mayBeBehind = context.sync !== undefined && !subscriptions.list.some(({ hasStart }) => hasStart);
    if (this.hasBegun && !(mayBeBehind && lastEventId !== undefined)) return undefined;
    const isValid = lastEventId !== undefined && parseId(lastEventId) !== undefined;
    return createMarker(isValid ? lastEventId : UNKNOWN_ID);
  }

  start(): void {
    if (this.#phase === 'gathering') this.#load('opening');
  }

  /** Starts in the next iteration, after the subscriptions of this one: the headers have been sent already. */
  startSoon(): void {
    nextIteration(() => this.start());
  }

  /** Opens channels that were subscribed to. While it waits for the application, that is asked for them at once. */
  add(): void {
    if (this.#phase === 'live') this.#load('adding');
    else this.answered();
  }

  /** Subscriptions were cancelled: if it waits for these alone, the stream goes on. */
  subscriptionsRemoved(): void {
    if (this.#phase === 'adding' && this.#unplaced.length === 0) this.#beginAdded();
    else this.answered();
  }

  /** Begins again in a new epoch. */
  startOver(): void {
    // Any id that is not of this epoch: a client that was told a position gets a reset.
    if (this.hasBegun) this.lastEventId = '';
    this.#owner.subscriptions.renew(this.hasBegun);
    if (this.#phase === 'live') this.#load('opening');
    else if (this.#phase === 'adding') this.#phase = 'opening';
  }

  /** The application has answered: goes on, if it has waited for that. */
  answered(): void {
    if (this.#owner.access?.isAsking && (this.#phase === 'opening' || this.#phase === 'adding'))
      this.#load(this.#phase);
  }

  stop(): void {
    this.#phase = 'over';
  }

  /** @param isIdUnknown the client's id is none of this log, so it does not say what is needed. */
  #load(phase: 'opening' | 'adding', isIdUnknown = false): void {
    this.#phase = phase;
    const { list } = this.#owner.subscriptions;
    if (this.#owner.access?.areAllowed(this.#unplaced, phase === 'opening') === false) {
      this.#owner.waitForChannels();
      return;
    }
    const { sync } = this.#owner.context;
    if (sync === undefined) {
      this.#loaded(list, isIdUnknown);
      return;
    }
    // Each time another one: an answer to an earlier question must not count.
    const waiter: ChannelWaiter = {
      wants: () => {
        const { context, subscriptions } = this.#owner;
        // A stream that has begun without subscriptions may be behind the client's id.
        const reached = isIdUnknown ? 0 : (context.log.positionIn(this.lastEventId) ?? 0);
        return subscriptions.wants(this.#unplaced, this.#beginning(isIdUnknown), reached);
      },
      channels: () => this.#unplaced.map(({ channel }) => channel),
      loaded: () => {
        if (this.#waiter === waiter) this.#loaded(list, isIdUnknown);
      },
    };
    this.#waiter = waiter;
    if (sync.load(waiter)) this.#owner.waitForChannels();
    else this.#loaded(list, isIdUnknown);
  }

  /** @param loaded the subscriptions of the load that is complete. */
  #loaded(loaded: readonly Subscription[], isIdUnknown: boolean): void {
    this.#waiter = undefined;
    if (this.#phase !== 'opening' && this.#phase !== 'adding') return;
    try {
      // Channels were subscribed to or removed meanwhile, perhaps by `authorize` itself, or their entries were lost.
      const isComplete = loaded === this.#owner.subscriptions.list;
      if (!isComplete || (this.#owner.context.sync !== undefined && needReread(this.#unplaced)))
        this.#load(this.#phase, isIdUnknown);
      // Only the broker knows whether a position that is newer than this process has reached exists.
      else if (!isIdUnknown && this.#hasUnknownId) this.#load(this.#phase, true);
      else if (this.#phase === 'opening') this.#begin();
      else this.#beginAdded();
    } catch (error) {
      this.#owner.fail(error);
    }
  }

  #begin(): void {
    const { context, subscriptions } = this.#owner;
    const start = findStart(context.log, subscriptions.list, this.lastEventId);
    // A snapshot may have subscribed. Nothing is delivered before the application was asked for that channel.
    const isAdding = start !== undefined && subscriptions.unplaced().length > 0;
    this.#phase = isAdding ? 'adding' : 'live';
    this.#owner.begin(start);
    if (isAdding && this.phase === 'adding') this.#load('adding');
  }

  #beginAdded(): void {
    const added = this.#unplaced;
    const beginning = this.#beginning();
    for (const subscription of added) subscription.resolveStart(this.#owner.context.log, beginning);
    this.#phase = 'live';
    this.#owner.beginAdded(added);
  }

  #beginning(isIdUnknown = false): Beginning {
    if (this.hasBegun) return { lastEventId: undefined, last: undefined };
    const { lastEventId } = this;
    return { lastEventId, last: isIdUnknown ? undefined : this.#owner.context.log.positionIn(lastEventId) };
  }

  /** The client's id is of this epoch, and no client can have received it, or what it names was lost in a failover. */
  get #hasUnknownId(): boolean {
    const { log, sync } = this.#owner.context;
    if (sync === undefined || this.hasBegun) return false;
    return log.positionIn(this.lastEventId) !== undefined && log.positionOf(this.lastEventId) === undefined;
  }

  /** Until it has begun, all of them: what was read for the first may be lost before the last is there. */
  get #unplaced(): readonly Subscription[] {
    return this.hasBegun ? this.#owner.subscriptions.unplaced() : this.#owner.subscriptions.list;
  }
}
