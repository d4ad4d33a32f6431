import type { EventStream, Frame, Hub, SubscribeOptions, Transport } from '@tidings/core';
import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** A response whose peer reads, or does not, as the test wants it. */
class VirtualTransport implements Transport {
  onDrain: (() => void) | undefined;
  onClose: ((error?: unknown) => void) | undefined;
  bufferedBytes = 0;
  hasBegun = false;
  hasEnded = false;
  isReading = true;
  #isOver = false;
  readonly #receive: (text: string, publishedAtWrite: number) => void;
  readonly #published: () => number;
  readonly #stop: () => void;
  #queue: [string, number][] = [];

  constructor(
    published: () => number,
    receive: (text: string, publishedAtWrite: number) => void,
    stop: () => void,
  ) {
    this.#published = published;
    this.#receive = receive;
    this.#stop = stop;
  }

  open(status: number): void {
    this.hasBegun = true;
    if (status === 204) this.#stop();
  }

  write(frame: Frame): boolean {
    if (this.#isOver) throw new Error('a write after the end');
    this.#queue.push([Buffer.from(frame.bytes).toString(), this.#published()]);
    this.bufferedBytes += frame.length;
    if (this.isReading) this.#deliver();
    return this.isReading;
  }

  read(): void {
    this.isReading = true;
    this.#deliver();
    this.onDrain?.();
  }

  /** Reads one write, and no more. */
  sip(): void {
    const next = this.#queue.shift();
    if (next === undefined) return;
    this.bufferedBytes -= Buffer.byteLength(next[0]);
    this.#receive(...next);
    if (this.#queue.length === 0) this.onDrain?.();
    else if (this.hasEnded) this.end();
  }

  end(): void {
    this.hasEnded = true;
    if (this.#queue.length === 0) this.onClose?.();
  }

  destroy(): void {
    this.#isOver = true;
    this.#queue = [];
    this.onClose?.();
  }

  /** The connection breaks: what was on its way is lost. */
  cut(): void {
    this.destroy();
  }

  #deliver(): void {
    for (const [text, published] of this.#queue.splice(0)) this.#receive(text, published);
    this.bufferedBytes = 0;
    if (this.hasEnded) this.onClose?.();
  }
}

export interface Published {
  n: number;
  channel: string;
  key: string | undefined;
  except: string | undefined;
}

export interface Wish {
  channel: string;
  options: SubscribeOptions;
}

/** What the oracle knows of the hub. */
export interface Model {
  published: () => number;
  /** Something is published, and not yet accepted. */
  isPublishing: () => boolean;
  compacted: (channel: string) => boolean;
  current: (channel: string) => Map<string, Published>;
  /** No history is ever full. */
  keepsAll: () => boolean;
}

/** A client with the habits of an EventSource, and the oracle: it knows what it is owed. */
export class ModelClient {
  readonly name: string;
  readonly wishes = new Map<string, SubscribeOptions>();
  resets = 0;
  failure = '';
  readonly #hubs: readonly Hub[];
  readonly #published: () => number;
  readonly #isPublishing: () => boolean;
  readonly #compacted: (channel: string) => boolean;
  /** The newest of each key of a compacted channel, if it has room for them all. */
  readonly #current: (channel: string) => Map<string, Published>;
  readonly #keepsAll: () => boolean;
  /** By channel: what was published for this client and has not come, by number; compacted, the newest of each key. */
  readonly #owed = new Map<string, Map<string, number>>();
  /** Channels subscribed to anew on an open stream: what was on its way may come again. */
  readonly #renewed = new Set<string>();
  #lastEventId: string | undefined;
  #transport: VirtualTransport | undefined;
  #stream: EventStream | undefined;
  /** On this connection: it has been told of a loss, or where it stands. */
  #hasReset = false;
  #hasId = false;
  /** The broker has lost something, or lags behind. */
  #isDisturbed = false;
  /** Turns after which it is to know where it stands. */
  patience = 6;
  /** Since it connected, it has always read at once. */
  #isFast = true;
  /** Turns since it was answered. */
  #age = 0;

  constructor(name: string, hubs: readonly Hub[], model: Model) {
    this.name = name;
    this.#hubs = hubs;
    this.#published = model.published;
    this.#isPublishing = model.isPublishing;
    this.#compacted = model.compacted;
    this.#current = model.current;
    this.#keepsAll = model.keepsAll;
  }

  get isConnected(): boolean {
    return this.#stream !== undefined && !this.#stream.signal.aborted;
  }

  get lacks(): string {
    return JSON.stringify([...this.#owed].map(([channel, owed]) => [channel, [...owed.values()]]));
  }

  get isSatisfied(): boolean {
    return [...this.#owed.values()].every(owed => owed.size === 0);
  }

  /** @param node of which it is a client from now on. */
  connect(lastEventId = this.#lastEventId, node = 0): void {
    if (this.isConnected || this.wishes.size === 0) return;
    // Who says nothing of the past is owed nothing of it.
    if (!lastEventId) this.#owed.clear();
    this.#renewed.clear();
    this.#isFast = true;
    this.#age = 0;
    let sent = 0;
    const received = new Set<number>();
    let newest = 0;
    let isBackfill = false;
    this.#hasReset = false;
    this.#hasId = false;
    let publishedAtWrite = 0;
    const receive = ({ id, event, data }: EventSourceMessage) => {
      if (id !== undefined) this.#lastEventId = id;
      if (event === 'tidings') {
        isBackfill = id?.endsWith('~') ?? false;
        this.#hasId = true;
        return;
      }
      if (event === 'reset') {
        this.resets += 1;
        const { reason, channels } = JSON.parse(data) as { reason: string; channels: string[] };
        if (reason === 'slow' && this.#isFast && !this.#isDisturbed)
          throw new Error(`${this.name}: a reset, though it reads (${data})`);
        if (reason === 'history' && this.#keepsAll() && !this.#isDisturbed)
          throw new Error(`${this.name}: a reset without a loss`);
        // What left a short history while a broker was asked for the channel, is a loss at any time.
        const isLate = reason === 'history' && channels.every(channel => this.#renewed.has(channel));
        if (reason !== 'slow' && !this.#isDisturbed && !isLate) {
          if (this.#hasReset) throw new Error(`${this.name}: a second reset (${data})`);
          if (this.#hasId) throw new Error(`${this.name}: a reset after an id (${data})`);
          this.#hasReset = true;
        }
        received.clear();
        this.#hasId = true;
        for (const channel of channels) {
          this.#forgive(channel, publishedAtWrite);
          if (this.#compacted(channel) && this.#wantsState(channel))
            this.#oweState(channel, publishedAtWrite);
        }
        return;
      }
      if (event === 'snapshot') {
        if (!isBackfill) throw new Error(`${this.name}: a snapshot that is no backfill`);
        const state = JSON.parse(data) as { channel: string; n: number };
        this.#renewed.add(state.channel);
        this.#forgive(state.channel, state.n);
        return;
      }
      if (event === 'sent') {
        if (newest > Number(data)) throw new Error(`${this.name}: ${newest} before what was sent earlier`);
        sent = Math.max(sent, Number(data));
        return;
      }
      const { n, channel, key, except } = JSON.parse(data) as Published;
      if (!this.wishes.has(channel)) return;
      if (except === this.name) throw new Error(`${this.name}: ${n}, which is for everyone else`);
      if (this.wishes.get(channel)?.filter && n % 2 && !this.#renewed.has(channel)) {
        throw new Error(`${this.name}: ${n}, which it does not want`);
      }
      if (!isBackfill && n <= sent) throw new Error(`${this.name}: ${n} after what was sent later`);
      if (received.has(n) && !this.#renewed.has(channel)) throw new Error(`${this.name}: ${n} twice`);
      received.add(n);
      if (id === undefined && !isBackfill) throw new Error(`${this.name}: ${n} without an id`);
      if (!isBackfill) {
        if (n <= newest) throw new Error(`${this.name}: ${n} after ${newest}`);
        newest = n;
        this.#hasId = true;
      }
      const owed = this.#owed.get(channel);
      const at = this.#compacted(channel) ? String(key) : String(n);
      if ((owed?.get(at) ?? n) <= n) owed?.delete(at);
    };
    const parser = createParser({
      // Thrown, it would be the stream's to deal with.
      onEvent: event => {
        try {
          receive(event);
        } catch (error) {
          this.failure ||= (error as Error).message;
        }
      },
    });
    const transport = new VirtualTransport(
      this.#published,
      (text, published) => {
        publishedAtWrite = published;
        parser.feed(text);
      },
      () => this.#stop(),
    );
    this.#transport = transport;
    const hub = this.#hubs[node % this.#hubs.length] as Hub;
    this.#stream = hub.open(transport, { method: 'GET', url: '/', lastEventId }, { client: this.name });
    for (const [channel, options] of this.wishes) this.#stream.subscribe(channel, options);
  }

  subscribe({ channel, options }: Wish): void {
    this.#owed.delete(channel);
    this.wishes.set(channel, options);
    if (!this.isConnected) return;
    this.#renewed.add(channel);
    this.#stream?.subscribe(channel, options);
  }

  unsubscribe(channel: string): void {
    this.wishes.delete(channel);
    this.#owed.delete(channel);
    this.#stream?.unsubscribe(channel);
  }

  owe({ n, channel, key, except }: Published): void {
    if (!this.wishes.has(channel)) return;
    if (this.#compacted(channel)) this.#owed.get(channel)?.delete(String(key));
    // Not yet known to the hub (on another node, not yet answered), and with nothing to say where it was.
    const isKnown = this.isConnected && (this.#hubs.length === 1 || this.#transport?.hasBegun);
    if (!isKnown && !this.#lastEventId) return;
    const isCalled = except === this.name;
    const isWanted = this.wishes.get(channel)?.filter === undefined || n % 2 === 0;
    let owed = this.#owed.get(channel);
    if (owed === undefined) {
      owed = new Map();
      this.#owed.set(channel, owed);
    }
    if (!isCalled && isWanted) owed.set(this.#compacted(channel) ? String(key) : String(n), n);
  }

  /** Subscribed to anew, and not from its beginning, it is the earlier subscription that has lost something. */
  #wantsState(channel: string): boolean {
    return this.wishes.has(channel) && !(this.#renewed.has(channel) && this.wishes.get(channel)?.from);
  }

  /** Compacted, and with room for all keys: after a loss, the state is said anew. */
  #oweState(channel: string, upto: number): void {
    const current = this.#current(channel);
    const owed = this.#owed.get(channel) ?? new Map<string, number>();
    this.#owed.set(channel, owed);
    for (const [key, published] of current) {
      const isWanted = this.wishes.get(channel)?.filter === undefined || published.n % 2 === 0;
      if (published.n <= upto && published.except !== this.name && isWanted) owed.set(key, published.n);
    }
  }

  #forgive(channel: string, upto: number): void {
    const owed = this.#owed.get(channel);
    for (const [key, n] of owed ?? []) if (n <= upto) owed?.delete(key);
  }

  /** It has been told not to come back. */
  #stop(): void {
    if (!this.isSatisfied && !this.#isPublishing() && !this.#isDisturbed)
      this.failure = `told to stop, and lacks ${this.lacks}`;
    this.wishes.clear();
    this.#owed.clear();
  }

  /** What the broker had for it may be lost: it is to be told, though it has been told before. */
  disturb(): void {
    this.#isDisturbed = true;
  }

  /** A turn of the event loop has passed. */
  turn(): void {
    if (this.#transport?.hasBegun) this.#age += 1;
  }

  stall(): void {
    if (this.#transport) this.#transport.isReading = false;
    this.#isFast = false;
  }

  sip(): void {
    if (this.#transport && !this.#transport.isReading) this.#transport.sip();
  }

  read(): void {
    if (this.isConnected || this.#transport?.hasEnded) this.#transport?.read();
  }

  cut(): void {
    if (!this.isConnected) return;
    if (this.#age > this.patience && this.#isFast && !this.#lastEventId && !this.#isDisturbed) {
      throw new Error(`${this.name}: connected for a while, and knows no id`);
    }
    this.#transport?.cut();
  }

  send(): void {
    this.#stream?.send(this.#published(), { event: 'sent' });
  }
}
