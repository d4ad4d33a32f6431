import type { Beginning } from './course.ts';
import { PLENTY } from './course.ts';
import { type ChannelTruth, EPOCH, type Order, type Stored } from './truth.ts';

/** What the application says of where a subscription begins. */
export type From =
  | Exclude<Beginning, { after: unknown } | { since: unknown }>
  | { after: string }
  | { since: string }
  | undefined;

/** How a subscription begins. */
export interface Start {
  readonly from: From;
  readonly isPicky: boolean;
  /** `yes`: after the last id of its client, if there is one. `maybe`: or as if there was none. `no`: as if there was none. */
  readonly resumes: 'yes' | 'maybe' | 'no';
}

/** What the hub knew of the log when it was called. */
export interface Call {
  /** It knew of everything up to here. */
  readonly heard: Order;
  /** It cannot have known of anything after this. Undefined: it did not know where the log stands. */
  readonly head: Order | undefined;
}

/** Where the client of a stream left. */
export type LeftAt = Order | 'nowhere' | 'unknown' | 'interrupted';

type Due = 'no' | 'maybe' | 'yes';

/** What one stream is to be given of one channel: what it must get, and what it may. */
export class Interest {
  readonly channel: ChannelTruth;
  isPlaced = false;
  /** It has been told a position since it was placed: what is lost from then on is lost from a live stream. */
  hasBegun = false;
  /** It takes the place of an earlier one, and nothing was written since: what is told may concern that. */
  isNew: boolean;
  /** The client has been told that backfill is under way. */
  isInBackfill: boolean;
  /** The broker has lost something of its channel, and the client may yet be told. */
  #isDisturbed = false;
  #hasReset = false;
  /** Nothing up to here may come, except as part of a state. */
  after: Order = -1;
  /** The order from which on a loss is one. */
  start: Order = -1;
  /** The newest that has come with an id. */
  newest: Order = -1;
  readonly #from: Start['from'];
  readonly #resumes: Start['resumes'];
  readonly #call: Call;
  /** The position that the stream had been told when it was made; -1 if it was there from the start. */
  #toldAtCall: Order;
  #isPicky: boolean;
  /** Up to here, its filter has been picky at some time. */
  #pickyUpTo: Order = -1;
  /** Up to here, its filter was not picky. */
  #openUpTo: Order = -1;
  /** Everything after this must come. */
  #mustAfter: Order = Number.POSITIVE_INFINITY;
  /** The index, in its channel, of what is to be passed next. */
  #next = 0;
  /** What must come though it is older. */
  #debts: Set<Stored> | undefined;
  #taken: Set<Order> | undefined;
  /** Has come, or an earlier interest's has. */
  #perhaps: Set<Order> | undefined;
  /** What must come, superseded or not: the stream was live when it was stored. */
  #insisted: Set<Stored> | undefined;
  /** Events for which the filter has thrown. */
  #skipped: Set<number> | undefined;
  /** The application has named an id that nobody knows. */
  #isAfterUnknown = false;
  /** A reset must come before any position. */
  #resetDue: Due = 'no';
  /** The newest of each key must come. */
  #stateDue: Due = 'no';
  #snapshotDue: Due = 'no';

  /** Positions have begun anew before it was placed. */
  #isRestarted = false;

  /**
   * @param told the newest position that the stream has been told.
   * @param isNew it takes the place of an earlier one.
   */
  constructor(
    channel: ChannelTruth,
    { from, isPicky, resumes }: Start,
    call: Call,
    { told, isInBackfill, isNew }: { told: Order; isInBackfill: boolean; isNew: boolean },
  ) {
    this.channel = channel;
    this.isNew = isNew;
    this.#from = from;
    this.#isPicky = isPicky;
    this.#resumes = resumes;
    this.#call = call;
    this.#toldAtCall = resumes === 'no' ? told : -1;
    this.isInBackfill = isInBackfill;
  }

  get isDisturbed(): boolean {
    return this.#isDisturbed;
  }

  /** It may begin where its client left. */
  get mayResume(): boolean {
    return this.#resumes !== 'no' && (typeof this.#from !== 'object' || 'last' in this.#from);
  }

  get isAwaitingSnapshot(): boolean {
    return this.#snapshotDue !== 'no';
  }

  get mayAwaitSnapshot(): boolean {
    return this.channel.setting.snapshot !== null && (this.isAwaitingSnapshot || !this.hasBegun);
  }

  /** It replaces one whose id may have been unknown. */
  wasUnknown = false;

  /** Whether a reset because of an unknown id is to be expected. */
  get mayBeUnknown(): boolean {
    return this.#resetDue !== 'no' || this.#isAfterUnknown;
  }

  /**
   * Whether something after its beginning may have been trimmed.
   *
   * @param now ms
   * @param after and after this, too.
   */
  mayHaveLost(now: number, after = -1): boolean {
    // A snapshot that another stream is waiting for already is as old as that.
    return this.channel.mayHaveTrimmed(this.isAwaitingSnapshot ? -1 : Math.max(this.start, after), now);
  }

  /** Finds its beginning, once that is certain. */
  place(
    left: LeftAt,
    startedAt: Order | undefined,
    isInProcess: boolean,
    resolve: (id: string) => Order | undefined,
  ): void {
    this.isPlaced = true;
    const head = this.#call.head ?? startedAt ?? this.#call.heard;
    const heard = this.#call.head === undefined ? head : this.#call.heard;
    if (typeof this.#from === 'object' && 'after' in this.#from) {
      const order = resolve(this.#from.after);
      this.#isAfterUnknown = order === undefined;
      if (order !== undefined) this.#begin(order, order);
      else this.#awaitReset('yes');
      if (left === 'interrupted' && this.#resumes !== 'no') this.#awaitReset(this.#resumes);
    } else if (typeof this.#from === 'object' && 'since' in this.#from) {
      this.#placeSince(resolve(this.#from.since) ?? -1, left, head, heard, isInProcess);
    } else if (this.#resumes === 'no' || left === 'nowhere' || this.#from === 'state') {
      this.#placeFresh(head, heard, isInProcess);
    } else if (typeof left === 'string') {
      if (this.#resumes === 'maybe') {
        this.#begin(-1, head);
        this.#awaitState('maybe');
      }
      this.#awaitReset(this.#resumes);
    } else if (this.#resumes === 'yes') {
      this.#begin(left, left);
    } else {
      this.#begin(-1, Math.max(left, head));
      this.start = Math.min(left, heard);
      this.#awaitState('maybe');
    }
    if (this.#isRestarted && this.#resetDue === 'no') this.#resetDue = 'maybe';
  }

  /** The client cannot have followed the channel before a place in the order. */
  #placeSince(since: Order, left: LeftAt, head: Order, heard: Order, isInProcess: boolean): void {
    const isKnown = typeof left === 'number' && this.#resumes === 'yes';
    if (isKnown && left >= since) {
      this.#begin(left, left);
    } else if (isKnown && this.channel.hasState) {
      this.#placeFresh(head, heard, isInProcess);
    } else if (isKnown) {
      this.#begin(since, since);
    } else {
      this.#begin(-1, head);
      this.start = Math.min(since, heard);
      this.#awaitState('maybe');
      if (typeof left === 'string' && left !== 'nowhere') this.#awaitReset('maybe');
    }
  }

  #begin(after: Order, mustAfter: Order): void {
    this.after = this.start = after;
    this.#mustAfter = mustAfter;
    this.#next = this.channel.indexAfter(mustAfter);
  }

  #awaitReset(due: Due): void {
    if (due === 'yes') this.#begin(-1, Number.POSITIVE_INFINITY);
    this.#resetDue = due;
  }

  #awaitState(due: Due): void {
    const { compact, snapshot } = this.channel.setting;
    this.#stateDue = 'no';
    if (snapshot !== null) this.#snapshotDue = due;
    else if (compact) this.#stateDue = due;
    if (snapshot !== null || compact) this.after = -1;
  }

  #placeFresh(head: Order, heard: Order, isInProcess: boolean): void {
    const { channel } = this;
    const { compact, history } = channel.setting;
    this.#begin(heard, head);
    const from = this.#from;
    const isSince = typeof from === 'object' && 'since' in from;
    if (from === undefined || from === 'state' || isSince) {
      this.#awaitState('yes');
    } else if (from === 'start') {
      this.after = -1;
      if (compact) this.#stateDue = 'yes';
      else this.#owe(PLENTY, head);
    } else if (typeof from === 'object' && 'last' in from && from.last > 0) {
      this.after = -1;
      const first = compact ? undefined : this.#owe(from.last, head);
      const isExact =
        isInProcess && channel.begunAt === -1 && history !== false && from.last <= (history.events ?? 256);
      if (isExact && first !== undefined) this.after = first.order - 1;
    }
    // Nothing of an earlier life of the channel.
    if (channel.begunAt !== -1 && channel.begunAt <= heard)
      this.after = Math.max(this.after, channel.droppedUpTo);
  }

  /** The last so many events up to a place in the order must come. Returns the first. */
  #owe(count: number, upTo: Order): Stored | undefined {
    const { entries, droppedUpTo } = this.channel;
    let first: Stored | undefined;
    const debts = new Set<Stored>();
    for (let index = this.channel.indexAfter(upTo) - 1; index >= 0 && debts.size < count; index--) {
      const entry = entries[index] as Stored;
      if (entry.order <= droppedUpTo) break;
      if (entry.kind !== 'event' && entry.kind !== 'gone') continue;
      debts.add(entry);
      first = entry;
    }
    if (debts.size > 0) this.#debts = debts;
    return first;
  }

  /** From here on. */
  filter(isPicky: boolean, head: Order): void {
    if (isPicky === this.#isPicky) return;
    this.#isPicky = isPicky;
    if (isPicky) this.#openUpTo = head;
    else this.#pickyUpTo = head;
  }

  skip(n: number): void {
    this.#skipped = (this.#skipped ?? new Set()).add(n);
  }

  /** Superseded values need not come any more. */
  relax(): void {
    this.#insisted = undefined;
  }

  insistOn(entry: Stored): void {
    this.#insisted = (this.#insisted ?? new Set()).add(entry);
  }

  disturb(): void {
    this.#isDisturbed = true;
    this.#hasReset = false;
    this.#insisted = undefined;
  }

  /** Positions begin anew. */
  restart(head: Order, knowsAPosition: boolean): void {
    if (!this.isPlaced) {
      this.#isRestarted = true;
      return;
    }
    this.#forget();
    this.#begin(-1, head);
    this.#stateDue = this.#snapshotDue = 'no';
    this.hasBegun = false;
    this.#toldAtCall = -1;
    this.#awaitReset(knowsAPosition ? 'yes' : 'maybe');
    this.#awaitState('maybe');
  }

  /** The client is told that it has missed something. It loads the state, and wants what is stored from now on. */
  reset(reason: string, head: Order, restartsAt: Order | undefined): void {
    const isState = this.channel.setting.compact || this.channel.setting.snapshot !== null;
    const mayBeOfAnEarlierOne = this.isNew;
    if (reason === 'unknown' || reason === 'interrupted' || isState) this.after = -1;
    else if (restartsAt !== undefined && !mayBeOfAnEarlierOne) this.after = restartsAt;
    this.#resetDue = this.#resetDue === 'yes' && mayBeOfAnEarlierOne ? 'maybe' : 'no';
    this.#forget();
    this.#mustAfter = head;
    this.#next = this.channel.indexAfter(head);
    this.#toldAtCall = -1;
    this.#hasReset = true;
    this.hasBegun = true;
    this.#awaitState(mayBeOfAnEarlierOne ? 'maybe' : 'yes');
  }

  #forget(): void {
    this.#debts = this.#taken = this.#perhaps = this.#insisted = undefined;
  }

  /** Whether the last reset has skipped something that comes after all if the client resumes from a place. */
  wouldRepeat(order: Order, owner: string): boolean {
    if (!this.#hasReset || !this.mayResume) return false;
    const { entries } = this.channel;
    for (let index = this.channel.indexAfter(order); index < entries.length; index++) {
      const entry = entries[index] as Stored;
      if (entry.order > this.#mustAfter) return false;
      if (this.#isMissing(entry, owner, true)) return true;
    }
    return false;
  }

  /** @returns false: there is no reason for one. */
  takeSnapshot(upTo: Order, isInProcess: boolean): boolean {
    if (this.#snapshotDue === 'no') return false;
    this.#snapshotDue = 'no';
    if (isInProcess) this.after = Math.max(this.after, upTo);
    this.#mustAfter = upTo;
    this.#next = this.channel.indexAfter(upTo);
    return true;
  }

  /** Why an event is not for it. */
  objectionTo({ except, n, order }: Stored, owner: string): string | undefined {
    if (except === owner) return 'which is for everyone else';
    if (this.#isPicky && n % 2 === 1 && order > this.#openUpTo) return 'which it does not want';
    return undefined;
  }

  hasTaken({ order }: Stored): boolean {
    return this.#taken?.has(order) === true;
  }

  hasHad({ order }: Stored): boolean {
    return order <= this.newest;
  }

  /** @param isUncertain it may be of an earlier one, whose place this one has taken. */
  take(entry: Stored, isUncertain: boolean): void {
    if (isUncertain) this.#perhaps = (this.#perhaps ?? new Set()).add(entry.order);
    else this.#taken = (this.#taken ?? new Set()).add(entry.order);
    this.newest = Math.max(this.newest, entry.order);
  }

  /**
   * The client is told a position, and may resume from it.
   *
   * @param isReset it is that of a reset: others may follow.
   * @param isStale what is written may have been so before the subscriptions changed.
   * @returns what it lacks.
   */
  pass(order: Order, owner: string, now: number, isReset: boolean, isStale: boolean): string | undefined {
    // Other resets may follow in the same write, and what concerns an earlier interest may follow what is stale.
    if (!isReset && !isStale) {
      this.isNew = false;
      if (this.#hasReset) this.#isDisturbed = false;
    }
    if (this.#resetDue === 'yes' && !isStale && this.#isPromised) {
      // Where the application says where it begins, it does so whatever the client was told.
      if (typeof this.#from === 'object' && 'after' in this.#from) return undefined;
      return `${this.channel.name}: it is not told that it has lost something`;
    }
    const lack = this.#find(order, owner, now, isStale, true);
    if (!isReset && !isStale) this.hasBegun = true;
    if (!isStale) this.isInBackfill = false;
    return lack;
  }

  get #isPromised(): boolean {
    return !this.channel.keepsNothing || this.channel.setting.snapshot !== null;
  }

  /** What it lacks up to a place in the order. */
  lacks(upTo: Order, owner: string, now: number): string | undefined {
    if (this.#resetDue === 'yes' && this.#isPromised) return `a reset for ${this.channel.name}`;
    return this.#find(upTo, owner, now, false, false);
  }

  #find(order: Order, owner: string, now: number, isStale: boolean, passes: boolean): string | undefined {
    const { channel } = this;
    const { entries } = channel;
    // What a broker has lost with its epoch is told of by the reset that comes with the new one.
    const epoch = order - (order % EPOCH);
    let next = this.#next;
    for (; next < entries.length; next++) {
      const entry = entries[next] as Stored;
      if (entry.order > order) break;
      if (entry.order <= epoch || !this.#isMissing(entry, owner)) continue;
      if (!isStale) return channel.name + entry.n;
      // It is told where an earlier interest was, and comes as a backfill.
      this.#debts = (this.#debts ?? new Set()).add(entry);
    }
    if (passes) this.#next = Math.max(this.#next, next);
    if (isStale) return undefined;
    // What is older, and not yet announced, comes as a backfill, or not at all if the client is cut before that.
    const isDue = ({ order: own }: Stored) =>
      own <= order && (!passes || this.isInBackfill || own > this.#toldAtCall);
    for (const debt of this.#debts ?? []) {
      if (!isDue(debt)) continue;
      if (this.#isMissing(debt, owner, true) && !channel.mayBeGone(debt, now)) return channel.name + debt.n;
      if (passes) this.#debts?.delete(debt);
    }
    if (this.#stateDue === 'yes') {
      for (const newest of channel.newest.values()) {
        if (newest.kind === 'gone' || !isDue(newest) || channel.mayBeGone(newest, now)) continue;
        if (this.#isMissing(newest, owner, true)) return `${channel.name}${newest.n} (of its state)`;
      }
      if (passes && order >= this.#mustAfter) this.#stateDue = 'no';
    }
    const isAnnounced = !passes || this.isInBackfill || this.#toldAtCall === -1;
    if (this.#snapshotDue === 'yes' && isAnnounced) return `the snapshot of ${channel.name}`;
    return undefined;
  }

  #isMissing(entry: Stored, owner: string, isOlder = false): boolean {
    const { order, n, kind, except } = entry;
    if (kind !== 'event' && kind !== 'gone') return false;
    if (!isOlder && order <= this.#mustAfter) return false;
    if (this.#taken?.has(order) || this.#perhaps?.has(order) || except === owner) return false;
    if (this.#skipped?.has(n)) return false;
    if (n % 2 === 1 && (this.#isPicky || order <= this.#pickyUpTo)) return false;
    const isInsisted = this.#insisted?.has(entry) === true;
    if (this.channel.setting.compact && entry.isSuperseded && !isInsisted) return false;
    const promisesNothing = this.channel.keepsNothing && this.channel.setting.snapshot === null;
    return !promisesNothing || isInsisted;
  }
}
