import type { EventStream, From, Hub, SubscribeOptions } from '@tidings/core';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { VirtualTransport } from './transport.ts';

/** What is published, as data: its number among all of the run, and what else the oracle has to know. */
export interface Published {
  n: number;
  channel: string;
  key: string | undefined;
  except: string | undefined;
  filling?: string | undefined;
}

/** Where a subscription is to begin; `after` what had number `n` (`Infinity`: nobody has ever heard of the id). */
export type Beginning = Exclude<From, { after: string }> | { after: string; n: number };

export interface Wish {
  channel: string;
  from: Beginning | undefined;
  /** It wants the even ones only. */
  isPicky: boolean;
}

/** What the oracle knows of the hubs. */
export interface Model {
  readonly hubs: readonly Hub[];
  /** Each publish has its place at once. */
  readonly isInProcess: boolean;
  /** The number of what was published last. */
  published(): number;
  /** Something is published, and not yet accepted. */
  isPublishing(): boolean;
  /** All that was published to a channel, as long as it has not been lost. */
  log(channel: string): readonly Published[];
  isCompacted(channel: string): boolean;
  /** The newest of each key of a compacted channel, if it has room for them all, and no snapshots. */
  current(channel: string): ReadonlyMap<string, Published>;
  /** How many events the history has, at least, if there have been as many. */
  keeps(channel: string): number;
  overflow(channel: string): 'reset' | 'disconnect';
  hasSnapshots(channel: string): boolean;
  /** A client is told when it has missed something: the channel has a history, or snapshots. */
  reportsLoss(channel: string): boolean;
  /** No history of any channel is ever full. */
  losesNothing(): boolean;
  /** What a write costs. */
  work(): void;
}

/** A client with the habits of an EventSource, and the oracle: it knows what it is owed. */
export class ModelClient {
  readonly name: string;
  readonly wishes = new Map<string, Wish>();
  resets = 0;
  failure = '';
  /** Turns after which it is to know where it stands. */
  patience = 6;
  readonly #model: Model;
  /** By channel: what was published for this client and has not come, by number; compacted, the newest of each key. */
  readonly #owed = new Map<string, Map<string, number>>();
  /** By channel: up to which number nothing is to come. */
  readonly #since = new Map<string, number>();
  #lastEventId: string | undefined;
  /** The number of what came last. It is kept while the client goes on after its last event. */
  #newest = 0;
  /** It has asked where the hub stands, to begin there. */
  #isAsking = false;
  /** Events for which its filter has failed. */
  readonly #skipped = new Set<number>();
  /** Its filter fails the next time. */
  #isFaulty = false;
  /** Something the application does has failed: a stream may end before it has given all. */
  #isExcused = false;
  /** The broker has lost something, or lags behind. */
  #isDisturbed = false;

  // On this connection.
  #transport: VirtualTransport | undefined;
  #stream: EventStream | undefined;
  /** Channels subscribed to on an open stream, and when: what was on its way may come again. */
  readonly #renewed = new Map<string, number>();
  /** Channels that go on at the head, on this connection: the id that it has is older. */
  readonly #atHead = new Set<string>();
  /** Channels whose filter has changed since. */
  readonly #refiltered = new Set<string>();
  /** Values of compacted channels that are to come though there may be newer ones: it is there, and reads. */
  readonly #live = new Set<number>();
  readonly #received = new Set<number>();
  /** Channels that have yet to tell their state. */
  readonly #stateless = new Set<string>();
  /** What the application has sent, beside all channels, and has not come; `before` what is published later. */
  #sent: { serial: number; before: number }[] = [];
  #sends = 0;
  /** What had been published when the last of that which has come was sent. */
  #sentAfter = 0;
  #isBackfill = false;
  /** It has subscribed, on this connection; late: its first subscription resumes after its id. */
  #hasSubscribed = false;
  #isLateResume = false;
  /** It has given up a subscription. */
  #hasLeft = false;
  /** The id that it has named. */
  #cameWith = '';
  /** It has been told of a loss, or where it stands. */
  #hasReset = false;
  #hasId = false;
  /** It has always read at once. */
  #isFast = true;
  /** Turns since it was answered, and has subscribed. */
  #age = 0;
  /** The application has closed the stream when so much had been published. */
  #closedAfter: number | undefined;

  constructor(name: string, model: Model) {
    this.name = name;
    this.#model = model;
  }

  get isConnected(): boolean {
    return this.#transport?.isOver === false;
  }

  /** The stream takes what comes. */
  get isOpen(): boolean {
    return this.isConnected && this.#stream?.signal.aborted === false;
  }

  /** It can come back and go on. */
  get isPlaced(): boolean {
    return this.wishes.size === 0 || Boolean(this.#lastEventId);
  }

  /** What has not come, and should have. */
  get lacks(): string {
    const owed = [...this.#owed].flatMap(([channel, owed]) => [...owed.values()].map(n => `${channel} ${n}`));
    const live = [...this.#live].map(n => `${n} of a compacted channel`);
    const sent = this.isOpen ? this.#sent.map(({ serial }) => `what was sent as no. ${serial}`) : [];
    const states = this.isOpen ? [...this.#stateless].map(channel => `the state of ${channel}`) : [];
    return [...owed, ...live, ...sent, ...states].join(', ');
  }

  /** @param node of which it is a client from now on. */
  connect(node = 0): void {
    this.#connect(this.#lastEventId, node);
  }

  /** With the id of what had number `n`; `Infinity`: it is nobody's. */
  connectWith(id: string, n: number): void {
    if (this.isConnected || this.#isAsking) return;
    const isKnown = n < Number.POSITIVE_INFINITY;
    // Who follows nothing waits for no node to come as far.
    this.#newest = isKnown && this.wishes.size > 0 ? n : 0;
    this.#since.clear();
    for (const channel of isKnown ? this.wishes.keys() : []) {
      this.#owe(
        channel,
        this.#model.log(channel).filter(published => published.n > n),
      );
    }
    this.#lastEventId = id;
    this.#connect(id, 0);
  }

  /** Asks where the hub stands, and begins there. */
  async ask(node: number): Promise<void> {
    if (this.isConnected || this.#isAsking) return;
    const { hubs, isInProcess } = this.#model;
    this.#isAsking = true;
    this.#newest = isInProcess ? this.#model.published() : 0;
    this.#lastEventId = await hubs[node % hubs.length]?.position();
    this.#isAsking = false;
    this.#owed.clear();
    this.#since.clear();
    this.connect(node);
  }

  #connect(lastEventId: string | undefined, node: number): void {
    if (this.isConnected || this.#isAsking) return;
    this.#forgiveUnreported();
    // Cut before it was told that it is given what is older, it has never heard of that.
    for (const [channel, upto] of this.#renewed) this.#forgive(channel, upto);
    // It goes on behind where it began, unless it has subscribed since: the id that it has may be older.
    for (const channel of [...this.#renewed.keys(), ...this.#atHead]) this.#since.delete(channel);
    this.#renewed.clear();
    this.#atHead.clear();
    this.#refiltered.clear();
    this.#live.clear();
    this.#received.clear();
    this.#stateless.clear();
    this.#sent = [];
    this.#sends = this.#sentAfter = this.#age = 0;
    this.#isBackfill = this.#hasLeft = this.#hasReset = this.#hasId = false;
    this.#isFast = true;
    this.#cameWith = lastEventId ?? '';
    this.#hasSubscribed = this.wishes.size > 0;
    this.#isLateResume = false;
    this.#closedAfter = undefined;
    if (!lastEventId) {
      // Who says nothing of the past is owed nothing of it, unless the application says where to begin.
      this.#owed.clear();
      this.#since.clear();
      this.#newest = 0;
    }
    for (const wish of this.wishes.values()) if (this.#isNew(wish)) this.#begin(wish);
    const { hubs } = this.#model;
    const transport = this.#listen();
    const request = { method: 'GET', url: '/', lastEventId };
    this.#transport = transport;
    this.#stream = hubs[node % hubs.length]?.open(transport, request, { client: this.name });
    for (const wish of this.wishes.values()) this.#stream?.subscribe(wish.channel, this.#optionsOf(wish));
  }

  #listen(): VirtualTransport {
    let published = 0;
    const parser = createParser({
      // Thrown, it would be the stream's to deal with.
      onEvent: event => this.#check(() => this.#receive(event, published)),
    });
    return new VirtualTransport({
      published: () => this.#model.published(),
      receive: (text, publishedAtWrite) => {
        published = publishedAtWrite;
        parser.feed(text);
      },
      stop: () => this.#check(() => this.#stop()),
      end: () => this.#check(() => this.#end()),
      work: () => this.#model.work(),
      fail: error => this.#check(() => this.#fail(error)),
    });
  }

  subscribe(wish: Wish): void {
    const { channel } = wish;
    if (this.isOpen && wish.from === undefined && this.wishes.has(channel)) this.#goOn(wish);
    else this.#renew(wish);
    if (this.isOpen) this.#stream?.subscribe(channel, this.#optionsOf(wish));
  }

  /** What is followed already goes on where it is, through the new filter. */
  #goOn(wish: Wish): void {
    const { channel, isPicky } = wish;
    this.wishes.set(channel, { channel, isPicky, from: this.wishes.get(channel)?.from });
    this.#refiltered.add(channel);
    this.#live.clear();
    const owed = this.#owed.get(channel);
    for (const [key, n] of owed ?? []) if (isPicky && n % 2 === 1) owed?.delete(key);
  }

  #renew(wish: Wish): void {
    const { channel } = wish;
    if (this.isOpen && !this.#hasSubscribed) {
      this.#hasSubscribed = true;
      this.#isLateResume = this.#cameWith !== '';
    }
    this.#owed.delete(channel);
    this.#since.delete(channel);
    this.#stateless.delete(channel);
    this.#live.clear();
    this.#hasLeft = true;
    // What it has had all of was something else.
    if (!this.isOpen) this.#lastEventId = this.#lastEventId?.replace('.', '');
    this.wishes.set(channel, wish);
    this.#age = 0;
    if (this.isConnected) this.#renewed.set(channel, this.#model.published());
    // The answer does not wait for a broker longer than a while: that has not begun.
    const hasBegun = this.#model.isInProcess ? this.#transport?.hasBegun : this.#hasId;
    if (this.isOpen && !this.#isLateResume && (hasBegun || this.#isNew(wish))) this.#begin(wish);
  }

  unsubscribe(channel: string): void {
    this.wishes.delete(channel);
    this.#owed.delete(channel);
    this.#since.delete(channel);
    this.#stateless.delete(channel);
    this.#live.clear();
    this.#hasLeft = true;
    this.#stream?.unsubscribe(channel);
  }

  #optionsOf({ from, isPicky }: Wish): SubscribeOptions {
    const filter = ({ data }: { data: string }) => {
      if (this.#isFaulty) {
        this.#isFaulty = false;
        // The event is skipped, for this stream.
        const { n, channel } = JSON.parse(data) as Published;
        for (const [at, owed] of this.#owed.get(channel) ?? [])
          if (owed === n) this.#owed.get(channel)?.delete(at);
        this.#live.delete(n);
        this.#skipped.add(n);
        throw new Error('a filter that fails');
      }
      return JSON.parse(data).n % 2 === 0;
    };
    return isPicky ? { from, filter } : { from };
  }

  #wantsSnapshot(wish: Pick<Wish, 'channel' | 'from'> | undefined): boolean {
    return wish !== undefined && wish.from === undefined && this.#model.hasSnapshots(wish.channel);
  }

  /** It does not go on where the client was. (Whoever has had it all is not given it again.) */
  #isNew(wish: Wish): boolean {
    return this.#cameWith === '' || (isAfter(wish) && !this.#cameWith.endsWith('.'));
  }

  /** What a subscription is owed of what is there when it begins, and what it is not to get. */
  #begin({ channel, from }: Wish): void {
    const { isInProcess } = this.#model;
    const log = this.#model.log(channel);
    const isCompacted = this.#model.isCompacted(channel);
    const kept = isInProcess && !isCompacted ? this.#model.keeps(channel) : 0;
    let since = 0;
    if (this.#wantsSnapshot({ channel, from })) this.#stateless.add(channel);
    if (typeof from === 'object' && 'after' in from) {
      since = from.n === Number.POSITIVE_INFINITY ? 0 : from.n;
      if (from.n === Number.POSITIVE_INFINITY) this.#owed.delete(channel);
      else
        this.#owe(
          channel,
          log.filter(({ n }) => n > from.n),
        );
    } else if (isCompacted && (from === undefined || from === 'start')) {
      this.#owe(channel, this.#model.current(channel).values());
    } else if (from === 'start') {
      this.#owe(channel, log.slice(Math.max(0, log.length - kept)));
    } else if (typeof from === 'object' && 'last' in from) {
      const first = Math.max(0, log.length - Math.min(from.last, kept));
      if (isInProcess && from.last <= kept) since = log[first - 1]?.n ?? 0;
      this.#owe(channel, log.slice(first));
    } else if (isInProcess && !this.#wantsSnapshot({ channel, from })) {
      since = this.#model.published();
    }
    // What is on its way to it is of an earlier subscription.
    if (!this.#renewed.has(channel) || this.#isFast) this.#since.set(channel, since);
  }

  /** Something is published. */
  owe(published: Published): void {
    const { n, channel, key } = published;
    if (!this.wishes.has(channel)) return;
    const isCompacted = this.#model.isCompacted(channel);
    if (isCompacted) this.#owed.get(channel)?.delete(String(key));
    // Not yet known to the hub (on another node, not yet answered), and with nothing to say where it was.
    const isKnown = this.isOpen && (this.#model.hubs.length === 1 || this.#hasId);
    // Nor does an id of no epoch: its stream was closed before the broker had told where the log is.
    if (!isKnown && (!this.#lastEventId || this.#lastEventId === '0-0')) return;
    if (!this.#isFor(published)) return;
    this.#add(channel, published);
    const isLive = this.#isFast && this.#hasId && !this.#isBackfill && this.#renewed.size === 0;
    if (isCompacted && isLive && this.isOpen && this.#model.isInProcess) this.#live.add(n);
  }

  #isFor({ n, channel, except }: Published): boolean {
    if (this.#skipped.has(n)) return false;
    return except !== this.name && (this.wishes.get(channel)?.isPicky !== true || n % 2 === 0);
  }

  /** All that it is owed of a channel. */
  #owe(channel: string, list: Iterable<Published>): void {
    this.#owed.delete(channel);
    for (const published of list) {
      // What is not for it takes the place of what was.
      if (this.#model.isCompacted(channel)) this.#owed.get(channel)?.delete(String(published.key));
      if (this.#isFor(published)) this.#add(channel, published);
    }
  }

  #add(channel: string, { n, key }: Published): void {
    // A channel that keeps nothing promises nothing but what is live.
    const isLive = this.isOpen && this.#isFast && this.#hasId && this.#renewed.size === 0;
    if (!this.#model.reportsLoss(channel) && !isLive) return;
    const owed = this.#owed.get(channel) ?? new Map<string, number>();
    this.#owed.set(channel, owed.set(this.#model.isCompacted(channel) ? String(key) : String(n), n));
  }

  #forgiveUnreported(): void {
    for (const channel of this.#owed.keys())
      if (!this.#model.reportsLoss(channel)) this.#owed.delete(channel);
  }

  #forgive(channel: string, upto: number): void {
    const owed = this.#owed.get(channel);
    for (const [key, n] of owed ?? []) if (n <= upto) owed?.delete(key);
  }

  #receive({ id, event, data }: EventSourceMessage, publishedAtWrite: number): void {
    if (id !== undefined) this.#lastEventId = id;
    if (event === 'tidings') {
      this.#isBackfill = id?.endsWith('~') ?? false;
      this.#hasId = true;
    } else if (event === 'reset') {
      const { reason, channels } = JSON.parse(data) as { reason: string; channels: string[] };
      this.#beReset(reason, channels, publishedAtWrite);
      this.#isBackfill = id?.endsWith('~') ?? false;
    } else if (event === 'snapshot') {
      const { channel, n } = JSON.parse(data) as { channel: string; n: number };
      if (!this.#isBackfill) this.#fail('a snapshot that is no backfill');
      this.#know(channel, n);
    } else if (event === 'sent') {
      const { serial, n } = JSON.parse(data) as { serial: number; n: number };
      const sent = this.#sent.shift();
      if (sent?.serial !== serial) this.#fail('what was sent, out of its order');
      if (this.#newest > sent.before && this.#model.isInProcess && !this.#isLateResume)
        this.#fail(`${this.#newest} before what was sent earlier`);
      this.#sentAfter = Math.max(this.#sentAfter, n);
    } else {
      this.#take(JSON.parse(data) as Published, id);
    }
  }

  /** It has the state of a channel, up to a number. */
  #know(channel: string, n: number): void {
    if (!this.wishes.has(channel)) return;
    const { isInProcess } = this.#model;
    const since = this.#model.log(channel).filter(published => published.n > n);
    this.#stateless.delete(channel);
    if (isInProcess && this.#isFast) this.#since.set(channel, n);
    // Of an earlier subscription, it says nothing of what is still to come.
    if (this.#renewed.get(channel)) this.#forgive(channel, n);
    else this.#owe(channel, since);
    this.#renewed.set(channel, 0);
  }

  #take({ n, channel, key, except }: Published, id: string | undefined): void {
    if (!this.wishes.has(channel)) return;
    const isRenewed = this.#renewed.has(channel);
    if (except === this.name) this.#fail(`${n}, which is for everyone else`);
    const isFiltered = this.wishes.get(channel)?.isPicky && !isRenewed && !this.#refiltered.has(channel);
    if (isFiltered && n % 2) this.#fail(`${n}, which it does not want`);
    if (n <= (this.#since.get(channel) ?? 0)) this.#fail(`${n}, which was before it began`);
    if (this.#received.has(n) && !isRenewed) this.#fail(`${n} twice`);
    this.#received.add(n);
    if (this.#isBackfill && id !== undefined) {
      // Given up with its subscription, it has no end.
      if (!this.#hasLeft) this.#fail(`${n} with an id, amid a backfill`);
      this.#isBackfill = false;
    }
    if (!this.#isBackfill) {
      if (id === undefined) this.#fail(`${n} without an id`);
      if (n <= this.#newest) this.#fail(`${n} after ${this.#newest}`);
      if (n <= this.#sentAfter && this.#model.isInProcess && !this.#isLateResume)
        this.#fail(`${n} after what was sent later`);
      this.#live.delete(n);
      for (const earlier of this.#live) if (earlier < n) this.#fail(`${n}, and not ${earlier}`);
      this.#newest = n;
      this.#hasId = true;
    }
    const owed = this.#owed.get(channel);
    const at = this.#model.isCompacted(channel) ? String(key) : String(n);
    if ((owed?.get(at) ?? n) <= n) owed?.delete(at);
  }

  #beReset(reason: string, channels: readonly string[], publishedAtWrite: number): void {
    this.resets += 1;
    const told = `${reason} ${channels}`;
    if (!this.#isDisturbed) {
      const isOverflow = channels.some(channel => this.#model.overflow(channel) === 'disconnect');
      if (reason === 'slow' && isOverflow && !this.#isBackfill) this.#fail(`it was to end (${told})`);
      if (reason === 'slow' && this.#isFast) this.#fail(`a reset, though it reads (${told})`);
      if (reason === 'history' && this.#model.losesNothing()) this.#fail('a reset without a loss');
      // A subscription that has not begun where the others have is told by itself, at any time.
      const isOwn = channels.every(channel => {
        const wish = this.wishes.get(channel);
        return wish === undefined || isAfter(wish) || this.#renewed.has(channel);
      });
      if (reason !== 'slow' && !isOwn) {
        if (this.#hasReset) this.#fail(`a second reset (${told})`);
        if (this.#hasId) this.#fail(`a reset after an id (${told})`);
        this.#hasReset = true;
      }
    }
    this.#received.clear();
    this.#live.clear();
    this.#hasId = true;
    for (const channel of channels) {
      this.#since.delete(channel);
      this.#forgive(channel, publishedAtWrite);
      const isPlain = !this.#model.isCompacted(channel) && !this.#model.hasSnapshots(channel);
      if (reason === 'slow' && isPlain && this.#model.isInProcess) {
        this.#since.set(channel, publishedAtWrite);
        this.#atHead.add(channel);
      }
      if (!this.#wantsState(channel)) continue;
      if (this.#wantsSnapshot(this.wishes.get(channel))) this.#stateless.add(channel);
      if (!this.#model.isCompacted(channel)) continue;
      for (const published of this.#model.current(channel).values())
        if (published.n <= publishedAtWrite && this.#isFor(published)) this.#add(channel, published);
    }
  }

  /** Subscribed to anew, and not from its beginning, it is the earlier subscription that has lost something. */
  #wantsState(channel: string): boolean {
    return this.wishes.has(channel) && !(this.#renewed.has(channel) && this.wishes.get(channel)?.from);
  }

  /** It is told not to come back. */
  #stop(): void {
    // There is no response in which anything could be sent.
    this.#sent = [];
    // What the application has closed may not be what it asks for now.
    if (this.isOpen && this.lacks !== '' && !this.#model.isPublishing() && !this.#isDisturbed)
      this.#fail(`told to stop, and lacks ${this.lacks}`);
    this.wishes.clear();
    this.#owed.clear();
    this.#lastEventId = undefined;
  }

  /** The response is at its end, and the client has read it all. */
  #end(): void {
    // A state may fail, and nobody waits for it who is to close.
    const wantsSnapshot = [...this.wishes.keys()].some(channel => this.#model.hasSnapshots(channel));
    if (this.#isExcused || wantsSnapshot || !this.#model.isInProcess) return;
    const closedAfter = this.#closedAfter;
    if (closedAfter === undefined) {
      if (this.wishes.size > 0 && !this.#lastEventId) this.#fail('at its end, and knows no id');
    } else if (this.#isFast) {
      const owed = [...this.#owed.values()].flatMap(owed => [...owed.values()]);
      const lacks = owed.filter(n => n <= closedAfter).length + this.#sent.length;
      if (lacks > 0) this.#fail(`closed, and lacks ${this.lacks}`);
    }
  }

  #fail(what: string): never {
    throw new Error(`${this.name}: ${what}`);
  }

  #check(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.failure ||= (error as Error).message;
      // Given the same again and again, it would never end.
      this.#transport?.destroy();
    }
  }

  /** What the broker had for it may be lost: it is to be told, though it has been told before. */
  disturb(): void {
    this.#isDisturbed = true;
    this.#forgiveUnreported();
  }

  /** The broker has lost everything. Who has never been told where it stands is none the wiser. */
  bereave(): void {
    this.disturb();
    if (!this.#hasId && !this.#lastEventId) this.#owed.clear();
  }

  /** A turn of the event loop has passed. */
  turn(): void {
    if (this.#transport?.hasBegun) this.#age += 1;
  }

  stall(): void {
    if (this.#transport) this.#transport.isReading = false;
    this.#isFast = false;
    this.#live.clear();
    this.#forgiveUnreported();
  }

  sip(): void {
    this.#transport?.sip();
  }

  read(): void {
    this.#transport?.read();
  }

  /** The next write to it does something. */
  meanwhile(action: () => void): void {
    if (this.#transport) this.#transport.onNextWrite = action;
  }

  /** Its filter fails the next time. */
  fault(): void {
    this.#isFaulty = true;
    this.excuse();
  }

  excuse(): void {
    this.#isExcused = true;
  }

  cut(): void {
    if (!this.isConnected) return;
    const isLate = this.#age > this.patience && this.#isFast && this.wishes.size > 0 && this.isOpen;
    if (isLate && !this.#lastEventId && !this.#isDisturbed) {
      this.failure ||= `${this.name}: connected for a while, and knows no id`;
    }
    this.#transport?.destroy();
  }

  /** The application closes the stream. */
  close(): void {
    if (!this.isOpen) return;
    this.#closedAfter = this.#model.published();
    this.#stream?.close();
  }

  send(): void {
    if (!this.isOpen) return;
    this.#sends += 1;
    const sent = { serial: this.#sends, before: Number.POSITIVE_INFINITY };
    this.#sent.push(sent);
    // What it may be given yet, by a subscription of this very turn, was not published to it before.
    const n = this.wishes.size > 0 ? this.#model.published() : 0;
    this.#stream?.send({ serial: this.#sends, n }, { event: 'sent' });
    sent.before = this.#model.published();
  }
}

/** The application says of an id that it is the one to go on after. */
function isAfter(wish: Wish): boolean {
  return typeof wish.from === 'object' && 'after' in wish.from;
}
