import type { Frame } from '@tidings/core';
import type { ChannelName } from './course.ts';
import { Interest, type Start } from './interest.ts';
import type { Order, Stored, Truth } from './truth.ts';
import { type Block, Parser, type Written } from './wire.ts';

/** What the judge knows of the hub that a stream is on. */
export interface NodeView {
  /** The newest entry that the hub may know of. */
  readonly head: Order;
  /** The newest entry when it last had nothing to do. */
  readonly restedAt: Order;
  /** The newest entry that it has been given, or has been told that it lacks nothing up to. */
  readonly told: Order;
  /** The newest entry that it knows of for sure. */
  readonly heard: Order;
  /** Whether it knows where the log stands; and where that was when it was told first. */
  readonly startedAt: Order | undefined;
  readonly isInProcess: boolean;
  /** The epoch of its ids. */
  readonly epoch: number;
  readonly truth: Truth;
  /** Something that its broker had for it has been lost. */
  readonly hasLost: boolean;
}

export interface Court {
  /** ms */
  readonly now: number;
  /** Turns of the event loop so far. */
  readonly turns: number;
  /** The hub is in the middle of something. */
  readonly isInHub: boolean;
  /** A snapshot has failed: streams may end before they have given everything. */
  readonly hasFailed: boolean;
  /** Of which entry's life a snapshot is. */
  snapshot(serial: number): { readonly channel: ChannelName; readonly upTo: Order } | undefined;
  /** Reports a fault, once for each course. */
  fail(client: string, fault: Fault, text: string): void;
  /** For the trace. */
  note(client: string, text: string): void;
}

/** Kinds of faults. */
export type Fault =
  | 'lost'
  | 'repeated'
  | 'disordered'
  | 'not wanted'
  | 'false reset'
  | 'wrong id'
  | 'wrong end'
  | 'wrong write'
  | 'stuck'
  | 'leak'
  | 'wrong answer';

/** What the client says of where it left. */
interface Left {
  readonly order: Order;
  readonly suffix: string;
}

/** What the application has sent to one stream. */
export interface Sent {
  readonly serial: number;
  /** What was stored up to here comes earlier. */
  readonly after: Order;
  /** What is stored after this comes later. Infinity: it is being sent. */
  before: Order;
  /** The stream has closed meanwhile: it need not come. */
  isOptional: boolean;
  /** Others were sent meanwhile, by what its own write has called. */
  isOverlapped: boolean;
  readonly interests: ReadonlySet<Interest>;
}

/**
 * Judges what a hub writes to one response, as it is written: whether the client, which resumes after the last id that
 * it has received, is given everything it asks for in order, each once, or is told of the loss.
 */
export class Judge {
  readonly interests = new Map<ChannelName, Interest>();
  readonly client: string;
  readonly owner: string;
  readonly node: NodeView;
  /** It has been told a position, or of a reset. */
  hasId = false;
  /** Its client has read everything at once so far. */
  isFast = true;
  hasSubscribed = false;
  /** The newest position that it has been told; -1: none. */
  told: Order = -1;
  resets = 0;
  readonly #court: Court;
  readonly #lastEventId: string;
  /** {@link floors} of the connection before this one, when it broke. */
  readonly #floors: ReadonlyMap<ChannelName, Order>;
  readonly #parser = new Parser();
  readonly #sent: Sent[] = [];
  #sends = 0;
  /** What was stored up to here may not come any more: something sent later has come. */
  #sentAfter: Sent | undefined;
  /** It has waited for a backfill: what a channel dropped meanwhile it has not received. */
  #hasBackfilled = false;
  /** Up to here backfill comes, without ids. */
  #backfillTo: Order | undefined;
  /** Something is buffered that was written before the last change of the subscriptions. */
  #hasOlder = false;
  /** The turn in which they changed last while the hub was at work on something older. */
  #changedInTurn = -1;
  /** Channels that it has had an interest in. */
  readonly #earlier = new Set<ChannelName>();
  /** The newest entry when the application closed the stream. */
  #closedAt: Order | undefined;
  /** The message that has disconnected its owner. */
  #disconnectedAt: Order | undefined;
  #hasStopped = false;
  readonly #heardAtStart: Order;
  /** Faults of the last marker, unless it is the last of all: see `#readFarewell`. */
  #isSuspending = false;
  #suspended: (readonly [Fault, string])[] | undefined;
  #isAnswered = false;
  /** Positions have begun anew, and it has not been told any since. */
  #isRestarted = false;
  /** What was written last is complete. */
  #isAtRest = false;
  /** The head when it was told of the last reset, if nothing with an id has come since. */
  #unmarkedAt: Order = -1;

  constructor(
    court: Court,
    node: NodeView,
    [client, owner]: readonly [client: string, owner: string],
    lastEventId: string | undefined,
    floors: ReadonlyMap<ChannelName, Order>,
  ) {
    this.#court = court;
    this.#floors = floors;
    this.node = node;
    this.client = client;
    this.owner = owner;
    this.#lastEventId = lastEventId ?? '';
    this.#heardAtStart = node.heard;
    const left = this.#left();
    if (left !== undefined && left.suffix !== '~' && this.#isPlace(left.order)) this.told = left.order;
  }

  /** Whether the client says where it left. */
  get comesBack(): boolean {
    return this.#lastEventId !== '';
  }

  /** Whether that is the last that it was told. */
  comesBackFrom(id: string | undefined): boolean {
    return this.#parse(id ?? '')?.order === this.told;
  }

  get isInBackfill(): boolean {
    return this.#backfillTo !== undefined;
  }

  /** Whether it has nothing to wait for, and is given everything as it comes. */
  get isLive(): boolean {
    if (!this.hasId || !this.isFast || this.isInBackfill || this.#closedAt !== undefined) return false;
    for (const interest of this.interests.values()) if (!interest.hasBegun) return false;
    return true;
  }

  /** @param isBuffered something is on its way to the client that was written before. */
  subscribe(channel: ChannelName, start: Start, isBuffered: boolean): void {
    this.hasSubscribed = true;
    this.#change(isBuffered);
    const { head, heard, startedAt } = this.node;
    const call = { heard, head: startedAt === undefined ? undefined : head };
    const { told, isInBackfill } = this;
    const isNew = this.#isAnswered && this.#earlier.has(channel);
    this.#earlier.add(channel);
    const { truth } = this.node;
    const interest = new Interest(truth.channel(channel), start, call, { told, isInBackfill, isNew });
    if (this.#isRestarted) interest.restart(head, false);
    // A reset that is due already is sent, though the subscription is replaced meanwhile.
    const replaced = this.interests.get(channel);
    interest.wasUnknown = replaced !== undefined && (!replaced.isPlaced || replaced.mayBeUnknown);
    this.interests.set(channel, interest);
  }

  /** What is followed already goes on, through another filter. */
  filter(channel: ChannelName, isPicky: boolean, isBuffered: boolean): void {
    this.#change(isBuffered);
    this.interests.get(channel)?.filter(isPicky, this.node.truth.head);
  }

  unsubscribe(channel: ChannelName, isBuffered: boolean): void {
    this.#change(isBuffered);
    this.interests.delete(channel);
  }

  #change(isBuffered: boolean): void {
    this.#hasOlder ||= isBuffered;
    if (this.#court.isInHub) this.#changedInTurn = this.#court.turns;
    for (const interest of this.interests.values()) interest.relax();
  }

  /** What is written may be of before the last change of the subscriptions. */
  get #isStale(): boolean {
    return this.#hasOlder || this.#changedInTurn === this.#court.turns;
  }

  /** An entry is stored. */
  stored(entry: Stored): void {
    if (!this.node.isInProcess || !this.isLive) return;
    this.interests.get(entry.channel)?.insistOn(entry);
  }

  /** Its client does not read any more. */
  stall(): void {
    this.isFast = false;
    for (const interest of this.interests.values()) interest.relax();
  }

  /** The broker has lost something of channels. */
  disturb(channels: Iterable<ChannelName>): void {
    // What it has not begun with is read again.
    if (!this.#isAnswered) return;
    for (const name of channels) this.interests.get(name)?.disturb();
  }

  /** The broker has lost everything: positions begin anew. */
  restart(isBuffered: boolean): void {
    this.#change(isBuffered);
    const knows = this.hasId || this.comesBack;
    for (const interest of this.interests.values()) interest.restart(this.node.head, knows);
    this.told = -1;
    this.#isRestarted = true;
  }

  send(): Sent {
    this.#sends += 1;
    const interests = new Set([...this.interests.values()].filter(({ hasBegun }) => hasBegun));
    const sent = {
      serial: this.#sends,
      after: this.node.head,
      before: Number.POSITIVE_INFINITY,
      isOverlapped: true,
      isOptional: false,
      interests,
    };
    this.#sent.push(sent);
    return sent;
  }

  /** What was sent has been taken, or not. */
  settle(sent: Sent, isTaken: boolean): void {
    sent.before = this.node.head;
    sent.isOverlapped = this.#sends > sent.serial;
    sent.isOptional = !isTaken;
  }

  /** A write is complete, or the hub has nothing to do. */
  rest(): void {
    if (this.told >= this.#unmarkedAt) return;
    const interests = [...this.interests.values()];
    if (!interests.some(interest => interest.wouldRepeat(this.told, this.owner))) return;
    this.#fail('repeated', 'what a reset has skipped, should the client resume now: no marker follows it');
  }

  /** The hub has nothing to do: the stream has been given everything. */
  idle(): void {
    if (!this.node.isInProcess || !this.isLive) return;
    const { lacks } = this;
    if (lacks !== '') this.#fail('stuck', `its hub has nothing to do, and it lacks ${lacks}`);
    const interests = [...this.interests.values()];
    if (interests.length > 0 && interests.every(interest => this.#hasSurelyEnded(interest)))
      this.#fail('wrong end', 'its channels have ended, and it stays open');
  }

  /** An ended channel may have been dropped from memory, and be as new. */
  #hasSurelyEnded({ channel }: Interest): boolean {
    const { endedAt, last } = channel;
    return endedAt !== undefined && last !== undefined && !channel.mayBeGone(last, this.#court.now);
  }

  /** Up to where the history of each channel has been trimmed, if nothing that it was to get is on its way. */
  floors(): Map<ChannelName, Order> {
    const floors = new Map<ChannelName, Order>();
    if (!this.isLive || !this.node.isInProcess) return floors;
    for (const { channel } of this.interests.values()) {
      // A marker may not have been received yet: until then, the client has its old position.
      const trimmedUpTo = channel.trimmedUpTo(this.#court.now, this.node.restedAt);
      floors.set(channel.name, Math.min(trimmedUpTo, this.told));
    }
    return floors;
  }

  /** The message that disconnects its owner is stored: nothing newer is for it. */
  disconnect(order: Order): void {
    this.#disconnectedAt ??= order;
  }

  /** The message is lost, and nobody on its node knows of it. */
  forgetDisconnect(): void {
    this.#disconnectedAt = undefined;
  }

  /** The application closes the stream. */
  close(head = this.node.head): void {
    this.#closedAt ??= head;
  }

  /** What it has not been given, and should have been by now. */
  get lacks(): string {
    for (const interest of this.interests.values()) {
      const hasBegun = this.hasId || !interest.mayResume;
      if (!interest.isPlaced && (!hasBegun || this.node.startedAt === undefined)) return 'an answer';
      this.#place(interest);
      const lack = interest.lacks(this.node.head, this.owner, this.#court.now);
      if (lack !== undefined) return lack;
    }
    if (this.isInBackfill) return 'the end of a backfill';
    const sent = this.#sent.find(({ isOptional }) => !isOptional);
    return sent === undefined ? '' : `what was sent as no. ${sent.serial}`;
  }

  write(frame: Frame, isBuffered: () => boolean): Written {
    if (this.#isAtRest) this.rest();
    let written: Written = { text: '', blocks: [], checkpoints: [] };
    try {
      written = this.#parser.read(frame);
    } catch (error) {
      this.#fail('wrong write', (error as Error).message);
    }
    for (const block of written.blocks) this.#read(block);
    // Found out with the next write: a reset may be the last of a stream that closes, and what is newer is for the next one.
    this.#isAtRest = !this.#isStale && this.#closedAt === undefined;
    if (this.#hasOlder && !isBuffered()) this.#hasOlder = false;
    return written;
  }

  /** The status is 200. */
  open(): void {
    this.#isAnswered = true;
    this.#note('200');
  }

  /** Whether what it was given is a reason to close. */
  mayCloseFor(reason: string): boolean {
    if (reason === 'closed') return this.#closedAt !== undefined;
    if (reason === 'ended') return this.#hasStopped || this.#hasHadAll;
    return reason === 'slow' && !this.isFast && this.#mayOverflow;
  }

  get #hasHadAll(): boolean {
    return [...this.interests.values()].every(interest => {
      if (this.#saysThatItHasHadAll(interest) || this.#mayHaveEnded(interest)) return true;
      if (this.#hadEnded(interest)) return true;
      this.#place(interest);
      const { endedAt } = interest.channel;
      return endedAt !== undefined && interest.lacks(endedAt, this.owner, this.#court.now) === undefined;
    });
  }

  /** The client says that it has had everything of channels that have ended, and nothing says that this one has not. */
  #saysThatItHasHadAll({ channel }: Interest): boolean {
    if (!this.#lastEventId.endsWith('.')) return false;
    const { endedAt, last } = channel;
    if (last === undefined || channel.mayBeGone(last, this.#court.now)) return true;
    // The answer is about what there was when the request came, as far as its process had heard of it.
    if (channel.firstOrder > this.#heardAtStart) return true;
    return endedAt !== undefined && (this.#left()?.order ?? -1) >= endedAt;
  }

  /** The channel has begun again, and its process may not have heard of that. */
  #mayHaveEnded({ channel }: Interest): boolean {
    return !this.node.isInProcess && channel.begunAt > this.#heardAtStart;
  }

  /** The channel has begun again, and the client, which reads slowly, has received nothing since. */
  #hadEnded({ channel }: Interest): boolean {
    return !this.isFast && channel.begunAt > this.told;
  }

  get #mayOverflow(): boolean {
    const { truth } = this.node;
    return [...this.#earlier].some(name => truth.channel(name).setting.overflow === 'disconnect');
  }

  /** The status is 204: the client is told not to come back. */
  stop(): void {
    this.#hasStopped = true;
    this.#note('204');
    this.#sent.length = 0;
    for (const interest of this.interests.values()) {
      if (this.#saysThatItHasHadAll(interest) || this.#mayHaveEnded(interest)) continue;
      this.#place(interest);
      const { name, endedAt } = interest.channel;
      if (endedAt === undefined) this.#fail('wrong end', `204, though ${name} has not ended`);
      const lack = interest.lacks(this.node.head, this.owner, this.#court.now);
      if (lack !== undefined) this.#fail('lost', `204, and it lacks ${lack}`);
    }
  }

  /** The response has ended. */
  end(): void {
    this.#note('end');
    this.#suspended = undefined;
    if (this.#hasStopped) return;
    if (this.hasSubscribed && !this.hasId) {
      this.#fail('lost', 'the response ends, and has told no position');
    }
    if (this.#closedAt === undefined || this.#court.hasFailed) return;
    if (!this.isFast && this.#mayOverflow) return;
    // It began after it was to close: in a backfill, so that its client will get a reset.
    if (this.isInBackfill && this.told > this.#closedAt) return;
    const sent = this.#sent.find(
      ({ before, isOptional }) => before !== Number.POSITIVE_INFINITY && !isOptional,
    );
    if (sent !== undefined)
      this.#fail('wrong end', `closed, and it lacks what was sent as no. ${sent.serial}`);
    if (!this.node.isInProcess) return;
    const { truth } = this.node;
    const wasToWait = (name: ChannelName) => truth.channel(name).setting.snapshot !== null;
    if ([...this.#earlier].some(name => !this.interests.has(name) && wasToWait(name))) return;
    for (const interest of this.interests.values()) {
      this.#place(interest);
      // Nobody waits for a state who is to close.
      if (interest.channel.setting.snapshot !== null && (interest.isAwaitingSnapshot || !interest.hasBegun))
        return;
    }
    for (const interest of this.interests.values()) {
      const lack = interest.lacks(this.#closedAt, this.owner, this.#court.now);
      if (lack !== undefined) this.#fail('wrong end', `closed, and it lacks ${lack}`);
    }
  }

  #read({ id, event, data }: Block): void {
    // A marker without an id gives the client a reconnection time, and nothing else.
    if (data === undefined || (event === 'tidings' && id === undefined)) return;
    // The write of a farewell may end the stream once more.
    const isFirst = !this.hasId || this.#suspended !== undefined;
    const isFarewell = event === 'tidings' && (id === '0-0' || (isFirst && id === this.#lastEventId));
    if (!isFarewell) this.#complain();
    if (isFarewell && !this.node.isInProcess) this.#readFarewell(id ?? '');
    else if (event === 'tidings') this.#readMarker(id ?? '');
    else if (event === 'reset') this.#readReset(id ?? '', data);
    else if (event === 'snapshot') this.#readSnapshot(id, data);
    else if (event === 'sent') this.#readSent(Number(data));
    else this.#readEvent(id, data);
  }

  /** What was taken for the last marker was not. */
  #complain(): void {
    const suspended = this.#suspended ?? [];
    this.#suspended = undefined;
    for (const [fault, text] of suspended) this.#fail(fault, text);
  }

  /**
   * Ended before its broker has answered, a stream tells its client the id that it came with, whatever that is, or one
   * from which nobody can resume.
   */
  #readFarewell(id: string): void {
    const suspended: (readonly [Fault, string])[] = [];
    this.#suspended = suspended;
    this.#isSuspending = true;
    if (id === '0-0') this.#fail('wrong id', 'an id of no epoch');
    else this.#readMarker(id);
    this.#isSuspending = false;
    this.hasId = true;
  }

  #readMarker(id: string): void {
    const place = this.#placeOf(id);
    this.#note(`marker ${this.#show(place)}`);
    this.#unmarkedAt = -1;
    if (place.suffix === '~') {
      this.#tell(place.order);
      this.#beginBackfill(place.order);
      return;
    }
    if (place.suffix === '.') this.#reachEnd(place.order);
    else this.#reach(place.order);
  }

  /** The client is told that everything has ended. */
  #reachEnd(order: Order): void {
    const hasSaidSo = [...this.interests.values()].every(interest => this.#saysThatItHasHadAll(interest));
    if (!hasSaidSo) this.#reach(order);
    this.#tell(order);
    this.#hasStopped = true;
    for (const interest of this.interests.values()) {
      // Where the node has not been given that yet, the client finds out when it comes back.
      const isAhead = !this.node.isInProcess && interest.channel.begunAt > this.node.told;
      if (isAhead || this.#hadEnded(interest) || this.#saysThatItHasHadAll(interest)) continue;
      const { endedAt, name } = interest.channel;
      if (endedAt === undefined) this.#fail('wrong end', `told that all has ended, though ${name} has not`);
      const lack = interest.lacks(endedAt ?? -1, this.owner, this.#court.now);
      if (lack !== undefined) this.#fail('lost', `told that all has ended, and it lacks ${lack}`);
    }
  }

  #readReset(id: string, data: string): void {
    const { reason, channels } = JSON.parse(data) as { reason: string; channels: ChannelName[] };
    const place = this.#placeOf(id);
    this.#note(`reset ${reason} [${channels}] ${this.#show(place)}`);
    this.resets += 1;
    const isTilde = place.suffix === '~';
    for (const name of channels) {
      const interest = this.interests.get(name);
      if (interest === undefined) continue;
      this.#place(interest);
      const objection = this.#objectionTo(reason, interest);
      if (objection !== undefined) this.#fail('false reset', `reset ${reason} [${name}]: ${objection}`);
      const isGap = reason === 'slow' || (reason === 'history' && interest.hasBegun);
      const restart = isGap && this.node.isInProcess ? this.node.head : undefined;
      interest.reset(reason, this.node.head, restart);
    }
    this.#sentAfter = undefined;
    if (isTilde) {
      this.#tell(place.order);
      this.#beginBackfill(place.order);
    } else {
      this.#reach(place.order, true);
      // What was sent before the newest entry comes before its marker.
      const hasSent = this.#sent.some(({ after }) => after < this.node.head);
      this.#unmarkedAt = this.node.isInProcess && !hasSent ? this.node.head : -1;
    }
  }

  /**
   * A channel that has begun again may have dropped what it has not received: its client reads slowly, or it waited for
   * a backfill, a snapshot, or the broker, which is asked for channels that are added, and again after a loss.
   */
  get #hasWaited(): boolean {
    const interests = [...this.interests.values()];
    const awaitsSnapshot = interests.some(interest => interest.mayAwaitSnapshot);
    const isAdding = !this.node.isInProcess && interests.some(interest => !interest.hasBegun);
    return !this.isFast || this.#hasBackfilled || this.node.hasLost || awaitsSnapshot || isAdding;
  }

  /** Why a reset has no reason. */
  #objectionTo(reason: string, interest: Interest): string | undefined {
    const { now } = this.#court;
    const { channel } = interest;
    const hasState = channel.setting.snapshot !== null;
    const promisesNothing = channel.keepsNothing && !hasState && reason !== 'interrupted';
    if (promisesNothing) return 'it retains nothing';
    if (interest.isNew) return undefined;
    if (reason === 'unknown')
      return interest.mayBeUnknown || interest.wasUnknown ? undefined : 'the id is known';
    if (reason === 'interrupted') {
      if (this.hasId) return 'it has been told a position';
      return this.#left()?.suffix === '~' ? undefined : 'the id is of no backfill';
    }
    if (interest.isDisturbed) return undefined;
    if (reason === 'slow') {
      if (this.isFast) return 'the client reads';
      if (channel.setting.overflow === 'disconnect' && !this.isInBackfill) return 'it was to end';
      return undefined;
    }
    if (reason !== 'history') return 'no such reason';
    if (interest.hasBegun && !interest.isAwaitingSnapshot) {
      // The channel has begun again, and the client had not received the end of its earlier life.
      // In a backfill, older entries are yet to come.
      const isDropped = channel.begunAt > (this.isInBackfill ? -1 : this.told);
      const lacks = isDropped && interest.lacks(channel.begunAt, this.owner, now) !== undefined;
      return (lacks && !this.node.isInProcess) || (isDropped && this.#hasWaited)
        ? undefined
        : 'it has begun, and nothing was lost';
    }
    const floor = interest.mayResume ? this.#floors.get(channel.name) : undefined;
    if (interest.mayHaveLost(now, floor)) return undefined;
    if (floor !== undefined && interest.mayHaveLost(now)) return 'it was given all that has been trimmed';
    // A snapshot that another stream is waiting for may be older than what was lost.
    if (interest.isAwaitingSnapshot && this.node.hasLost) return undefined;
    // Its earlier life was dropped before the client had received it: a sweep may come before the first delivery, too.
    if (channel.begunAt > this.told && (this.#hasWaited || !this.hasId)) return undefined;
    return 'everything is there';
  }

  #readSnapshot(id: string | undefined, data: string): void {
    const snapshot = this.#court.snapshot(Number(data));
    this.#note(
      `snapshot ${data} of ${snapshot?.channel}, up to ${this.node.truth.show(snapshot?.upTo ?? -1)}`,
    );
    if (snapshot === undefined) {
      this.#fail('not wanted', 'a snapshot that was never made');
      return;
    }
    if (id !== undefined || !this.isInBackfill) this.#fail('wrong id', 'a snapshot that is no backfill');
    const interest = this.interests.get(snapshot.channel);
    if (interest === undefined) {
      if (!this.#isStale) this.#fail('not wanted', `the snapshot of ${snapshot.channel}`);
      return;
    }
    this.#place(interest);
    if (!interest.takeSnapshot(snapshot.upTo, this.node.isInProcess) && !this.#isStale) {
      this.#fail('repeated', `the snapshot of ${snapshot.channel}`);
    }
  }

  #readSent(serial: number): void {
    this.#note(`sent ${serial}`);
    const index = this.#sent.findIndex(sent => sent.serial === serial);
    const [first] = this.#sent;
    const [sent] = index === -1 ? [] : this.#sent.splice(index, 1);
    if (sent === undefined) {
      this.#fail('repeated', `what was sent as no. ${serial}`);
      return;
    }
    if (first !== sent && first?.isOverlapped === false) {
      this.#fail('disordered', `no. ${serial} before no. ${first.serial} of what was sent`);
    }
    if (!this.node.isInProcess || this.#isStale) return;
    for (const interest of sent.interests) {
      if (interest.newest > sent.before) {
        this.#fail('disordered', `${this.node.truth.show(interest.newest)} before what was sent earlier`);
      }
    }
    this.#sentAfter = sent;
  }

  #readEvent(id: string | undefined, data: string): void {
    const { truth } = this.node;
    const n = Number.parseInt(data.slice(1), 10);
    const entry = truth.find(n);
    const name = data.slice(0, 1) + n;
    const place = id === undefined ? undefined : this.#placeOf(id);
    this.#note(`${name}${place === undefined ? '' : ` ${this.#show(place)}`}`);
    this.#unmarkedAt = -1;
    if (entry === undefined) {
      this.#fail('not wanted', `${name}, which was never stored`);
      return;
    }
    if (place !== undefined && place.order !== entry.order) {
      this.#fail(
        'wrong id',
        `${name} with the id of ${truth.show(place.order)}, not ${truth.show(entry.order)}`,
      );
    }
    if (this.#disconnectedAt !== undefined && entry.order > this.#disconnectedAt) {
      this.#fail('not wanted', `${name}, which is newer than the message that disconnects it`);
    }
    const interest = this.interests.get(entry.channel);
    if (interest === undefined) {
      if (!this.#isStale) this.#fail('not wanted', `${name}, whose channel it does not follow`);
    } else {
      this.#place(interest);
      if (!this.#isStale) this.#take(interest, entry, name);
      interest.take(entry, this.#isStale);
    }
    if (place === undefined) {
      if (this.#backfillTo === undefined) {
        this.#fail('wrong id', `${name} without an id`);
        return;
      }
      if (entry.order > this.#backfillTo) this.#fail('wrong id', `${name} as backfill, though it is newer`);
      return;
    }
    if (entry.order <= this.told) {
      this.#fail(
        interest?.hasHad(entry) ? 'repeated' : 'disordered',
        `${name} after ${truth.show(this.told)}`,
      );
    }
    this.#reach(entry.order);
  }

  #take(interest: Interest, entry: Stored, name: string): void {
    const objection = interest.objectionTo(entry, this.owner);
    if (objection !== undefined) this.#fail('not wanted', `${name}, ${objection}`);
    if (interest.hasTaken(entry)) this.#fail('repeated', `${name} twice`);
    else if (entry.order <= interest.after) this.#fail('repeated', `${name}, which was before it began`);
    const sent = this.isInBackfill ? undefined : this.#sentAfter;
    if (sent?.interests.has(interest) && entry.order <= sent.after) {
      this.#fail('disordered', `${name} after no. ${sent.serial} of what was sent later`);
    }
  }

  /** Otherwise it was written before positions began anew: the client gets a reset when it comes back. */
  #isOfThisEpoch(order: Order): boolean {
    this.hasId = true;
    return this.node.truth.epochOf(order) === this.node.epoch;
  }

  /** The client is given a position to resume from: everything up to it must have come. */
  #reach(order: Order, isReset = false): void {
    const { now } = this.#court;
    if (!this.#isOfThisEpoch(order)) return;
    this.#tell(order);
    this.#backfillTo = undefined;
    for (const interest of this.interests.values()) {
      this.#place(interest);
      const lack = interest.pass(order, this.owner, now, isReset, this.#isStale);
      if (lack !== undefined)
        this.#fail('lost', `${lack}, and may resume from ${this.node.truth.show(order)}`);
    }
  }

  #tell(order: Order): void {
    const { truth } = this.node;
    if (order < this.told) {
      this.#fail(
        'disordered',
        `the position goes back from ${truth.show(this.told)} to ${truth.show(order)}`,
      );
    }
    if (order > this.node.head)
      this.#fail('wrong id', `the position ${truth.show(order)} is beyond the head`);
    this.told = order;
    this.hasId = true;
    this.#isRestarted = false;
  }

  #beginBackfill(upTo: Order): void {
    this.#hasBackfilled = true;
    this.#backfillTo = upTo;
    for (const interest of this.interests.values()) interest.isInBackfill = true;
  }

  /** Finds out where an interest begins, once that is certain. */
  #place(interest: Interest): void {
    if (interest.isPlaced) return;
    const left = this.#left();
    const isKnown = left !== undefined && this.#isPlace(left.order);
    const from = !this.comesBack
      ? 'nowhere'
      : !isKnown
        ? 'unknown'
        : left.suffix === '~'
          ? 'interrupted'
          : left.order;
    interest.place(from, this.node.startedAt, this.node.isInProcess, order => this.#resolve(order));
  }

  #resolve(id: string): Order | undefined {
    const place = this.#parse(id);
    return place !== undefined && this.#isPlace(place.order) ? place.order : undefined;
  }

  /** Whether a client can resume from here. */
  #isPlace(order: Order): boolean {
    const { truth } = this.node;
    return truth.epochOf(order) === this.node.epoch && truth.isPlace(order, this.node.head);
  }

  #left(): Left | undefined {
    return this.#parse(this.#lastEventId);
  }

  /** The place of an id that the hub has written. */
  #placeOf(id: string): Left {
    const match = /^([0-9a-z]+)-(\d+)([~.]?)$/.exec(id);
    const { truth } = this.node;
    const { epoch } = this.node;
    if (match === null) {
      this.#fail('wrong id', `the id ${JSON.stringify(id)}`);
      return { order: this.told, suffix: '' };
    }
    const [, name, position, suffix] = match;
    // It was written before positions began anew, and has been buffered since.
    const earlier = this.#isStale ? truth.epochs.indexOf(name) : -1;
    if (earlier !== -1) return { order: truth.orderOf(earlier, Number(position)), suffix: suffix as string };
    truth.epochs[epoch] ??= name;
    if (truth.epochs[epoch] !== name)
      this.#fail('wrong id', `the id ${id} is not of epoch ${truth.epochs[epoch]}`);
    return { order: truth.orderOf(epoch, Number(position)), suffix: suffix as string };
  }

  #parse(id: string): Left | undefined {
    const match = /^([0-9a-z]{1,40})-(0|[1-9]\d{0,9})([~.]?)$/.exec(id);
    const epoch = match === null ? -1 : this.node.truth.epochs.indexOf(match[1]);
    if (match === null || epoch === -1) return undefined;
    return { order: this.node.truth.orderOf(epoch, Number(match[2])), suffix: match[3] as string };
  }

  #show({ order, suffix }: Left): string {
    return `@${this.node.truth.show(order)}${suffix}`;
  }

  #note(text: string): void {
    this.#court.note(this.client, text);
  }

  #fail(fault: Fault, text: string): void {
    if (this.#isSuspending) {
      this.#suspended?.push([fault, text]);
      return;
    }
    this.#court.fail(this.client, fault, text);
  }
}
