import type { CloseReason, EventStream, SubscribeOptions } from '@tidings/core';
import type { Stream } from '../../packages/core/src/stream/stream.ts';
import type { ChannelName, ClientName } from './course.ts';
import type { From, Start } from './interest.ts';
import { type Court, Judge } from './judge.ts';
import type { Node } from './node.ts';
import { VirtualTransport } from './transport.ts';
import type { Order } from './truth.ts';

/** What a client wants of a channel, whenever it connects. */
export interface Wish {
  readonly channel: ChannelName;
  readonly from: From;
  /** Only every second event. */
  readonly isPicky: boolean;
}

/** What a client needs of the run. */
export interface ClientHost extends Court {
  readonly clients: readonly ModelClient[];
  readonly socketBuffer: number;
  /** Turns after which a client is to know where it stands. */
  readonly patience: number;
  /** Whether streams may close for this reason, whatever they have been given. */
  mayClose(reason: CloseReason, client: ModelClient): boolean;
  /** Calls of a hub that need its broker may reject. */
  mayReject(node: Node): boolean;
  /** A filter has thrown. */
  filterThrew(): void;
  work(): void;
}

/** One response, seen from both ends. */
interface Connection {
  readonly node: Node;
  readonly stream: EventStream;
  readonly transport: VirtualTransport;
  readonly judge: Judge;
  /** The tick in which the first `subscribe` was called. */
  subscribedAt: number | undefined;
  /** When it subscribed last, in turns. */
  changedAt: number;
  /** The hub has ended the response. */
  hasEnded: boolean;
  /** Its hub will be told that it has to end. */
  isToEnd: boolean;
}

/** A client with the habits of an EventSource, and the handler that answers it. */
export class ModelClient {
  readonly name: ClientName;
  /** Empty: its streams have no `client`. */
  readonly owner: string;
  readonly wishes = new Map<ChannelName, Wish>();
  resets = 0;
  readonly #host: ClientHost;
  #connection: Connection | undefined;
  #lastEventId: string | undefined;
  /** How far histories were trimmed when the last connection broke. */
  #floors: ReadonlyMap<ChannelName, Order> = new Map();
  #isAsking = false;
  #isConnecting = false;
  #isFaulty = false;
  #onNextFilter: (() => void) | undefined;

  constructor(name: ClientName, owner: string, host: ClientHost) {
    this.name = name;
    this.owner = owner;
    this.#host = host;
  }

  get lastEventId(): string | undefined {
    return this.#lastEventId;
  }

  get isConnected(): boolean {
    return this.#connection?.transport.isOver === false;
  }

  /** The stream takes what comes. Its signal would say so, too, and cost as much as the rest of a stream. */
  get isOpen(): boolean {
    const connection = this.#connection;
    return this.isConnected && connection?.hasEnded === false && (connection.stream as Stream).isOpen;
  }

  /** The judge of the stream, while it is open or drains. */
  get judge(): Judge | undefined {
    return this.isConnected ? this.#connection?.judge : undefined;
  }

  get node(): Node | undefined {
    return this.isConnected ? this.#connection?.node : undefined;
  }

  /** Why it is not yet where it should be in the end. */
  get lacks(): string {
    if (this.wishes.size === 0) return '';
    if (!this.isConnected || this.#connection?.hasEnded) return 'a connection';
    return this.#connection?.judge.lacks || (this.#lastEventId ? '' : 'an id');
  }

  /** @param isLate the handler awaits something before it subscribes. */
  connect(node: Node, isLate = false): void {
    if (this.isConnected || this.#isAsking || this.#isConnecting) return;
    this.#connection = undefined;
    this.#isConnecting = true;
    const lastEventId = this.#lastEventId;
    const judge = new Judge(this.#host, node, [this.name, this.owner], lastEventId, this.#floors);
    this.#floors = new Map();
    const transport = this.#listen(judge);
    const rivals = this.#host.clients.filter(
      each => each !== this && each.owner === this.owner && each.isOpen,
    );
    const request = { method: 'GET', url: '/', lastEventId, acceptEncoding: 'gzip' };
    // What is published while they are closed is newer than their close.
    const closedAt = new Map(rivals.map(rival => [rival, rival.judge?.node.head]));
    const stream = node.hub.open(transport, request, { client: this.owner || undefined });
    for (const [rival, head] of closedAt) if (!rival.isOpen) rival.judge?.close(head);
    this.#connection = {
      node,
      stream,
      transport,
      judge,
      subscribedAt: undefined,
      changedAt: 0,
      hasEnded: false,
      isToEnd: false,
    };
    this.#isConnecting = false;
    stream.closed.then(reason => this.#checkReason(reason, judge, transport));
    // A hub that is closing takes none.
    if (!isLate && !node.isClosing) for (const wish of this.wishes.values()) this.#subscribe(wish);
  }

  connectWith(node: Node, id: string): void {
    if (this.isConnected || this.#isAsking) return;
    this.#lastEventId = id;
    this.#floors = new Map();
    this.connect(node);
  }

  /** Asks where the hub stands, and begins there. */
  async ask(node: Node): Promise<void> {
    if (this.isConnected || this.#isAsking) return;
    this.#isAsking = true;
    const before = node.head;
    try {
      const id = await node.hub.position();
      this.#lastEventId = id;
      const order = node.orderOf(id);
      if (
        order === undefined ||
        (order < before && node.truth.epochOf(order) === node.truth.epochOf(before))
      ) {
        this.#host.fail(this.name, 'wrong answer', `position() is ${id}, and was ${node.truth.show(before)}`);
      }
    } catch (error) {
      if (!this.#host.mayReject(node)) {
        this.#host.fail(this.name, 'wrong answer', `position() rejects: ${error}`);
      }
    } finally {
      this.#isAsking = false;
    }
    this.connect(node);
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  #listen(judge: Judge): VirtualTransport {
    const isBuffered = () => this.#isBuffered;
    const transport: VirtualTransport = new VirtualTransport(
      {
        open: status => {
          if (status === 204) this.#stop(judge);
          else judge.open();
        },
        write: frame => {
          this.#host.work();
          return judge.write(frame, isBuffered);
        },
        receive: id => {
          this.#lastEventId = id;
        },
        end: () => {
          judge.end();
          if (this.#connection?.judge === judge) this.#connection.hasEnded = true;
        },
        finish: () => {},
        fail: error => this.#host.fail(this.name, 'wrong write', error),
      },
      this.#host.socketBuffer,
    );
    return transport;
  }

  /** Something is on its way that the hub had taken before: the stream, not its transport, keeps it. */
  get #isBuffered(): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    return connection.stream.bufferedBytes > connection.transport.bufferedBytes;
  }

  /** It is told not to come back. */
  #stop(judge: Judge): void {
    judge.stop();
    this.wishes.clear();
    this.#lastEventId = undefined;
  }

  #checkReason(reason: CloseReason, judge: Judge, transport: VirtualTransport): void {
    const isOk = judge.mayCloseFor(reason) || this.#host.mayClose(reason, this);
    if (!isOk && !(reason === 'disconnected' && transport.isOver)) {
      this.#host.fail(this.name, 'wrong end', `closed as ${reason}`);
    }
  }

  /** The handler subscribes to what is not yet subscribed to. */
  arrive(): void {
    for (const wish of this.wishes.values()) {
      if (this.#connection?.judge.interests.has(wish.channel) !== true && this.isOpen) this.#subscribe(wish);
    }
  }

  subscribe(wish: Wish): void {
    const { channel, from, isPicky } = wish;
    const interest = this.#connection?.judge.interests.get(channel);
    const goesOn = this.isOpen && from === undefined && interest !== undefined;
    // What is followed already goes on where it is, through the new filter.
    this.wishes.set(channel, goesOn ? { channel, isPicky, from: this.wishes.get(channel)?.from } : wish);
    if (!this.isOpen) return;
    if (!goesOn) this.#subscribe(wish);
    else {
      this.#connection?.judge.filter(channel, isPicky, this.#isBuffered);
      this.#connection?.stream.subscribe(channel, this.#optionsOf(wish));
    }
  }

  #subscribe(wish: Wish): void {
    const connection = this.#connection as Connection;
    const { from, isPicky, channel } = wish;
    const resumes = this.#resumes(connection);
    connection.subscribedAt ??= this.#host.turns;
    connection.changedAt = this.#host.turns;
    connection.judge.subscribe(channel, { from, isPicky, resumes }, this.#isBuffered);
    connection.stream.subscribe(channel, this.#optionsOf(wish));
  }

  /** Whether a subscription that is made now begins after the last id of the client: in the turn of the first one. */
  #resumes({ subscribedAt }: Connection): Start['resumes'] {
    const since = this.#host.turns - (subscribedAt ?? this.#host.turns);
    // During a write or a filter, the stream may have begun with the subscriptions before, or the turn may not be over.
    if (this.#host.isInHub) return since <= 1 ? 'maybe' : 'no';
    if (since === 0) return 'yes';
    return since < 1 ? 'maybe' : 'no';
  }

  unsubscribe(channel: ChannelName): void {
    this.wishes.delete(channel);
    const isFollowed = this.#connection?.judge.interests.has(channel) === true;
    if (!this.isConnected || !isFollowed) return;
    this.#connection?.judge.unsubscribe(channel, this.#isBuffered);
    this.#connection?.stream.unsubscribe(channel);
  }

  #optionsOf({ from, isPicky, channel }: Wish): SubscribeOptions {
    const judge = this.#connection?.judge;
    const filter = ({ data }: { data: unknown }) => {
      const n = Number.parseInt(String(data).slice(1), 10);
      const onNextFilter = this.#onNextFilter;
      this.#onNextFilter = undefined;
      onNextFilter?.();
      if (this.#isFaulty) {
        this.#isFaulty = false;
        judge?.interests.get(channel)?.skip(n);
        this.#host.filterThrew();
        throw new Error('a filter that fails');
      }
      return n % 2 === 0;
    };
    const options = { from } as SubscribeOptions;
    return isPicky ? { ...options, filter } : options;
  }

  /** The log of its hub begins anew. */
  restart(): void {
    this.judge?.restart(this.#isBuffered);
  }

  stall(): void {
    if (!this.isConnected) return;
    (this.#connection as Connection).transport.isReading = false;
    this.judge?.stall();
  }

  sip(): void {
    this.#connection?.transport.sip();
  }

  read(): void {
    this.#connection?.transport.read();
  }

  /** The hub has nothing to do. */
  rest(): void {
    if (!this.isConnected || !this.#connection?.transport.isReading) return;
    this.judge?.rest();
    if (this.isOpen) this.judge?.idle();
  }

  /** The next write to it does something. */
  onNextWrite(action: () => void): void {
    if (this.#connection !== undefined) this.#connection.transport.onNextWrite = action;
  }

  /** So does the next call of one of its filters. */
  onNextFilter(action: () => void): void {
    this.#onNextFilter = action;
  }

  /** Its filter fails the next time. */
  fault(): void {
    this.#isFaulty = true;
  }

  /** The connection breaks. */
  cut(): void {
    if (!this.isConnected) return;
    const {
      judge,
      subscribedAt = Number.POSITIVE_INFINITY,
      changedAt,
      transport,
    } = this.#connection as Connection;
    const isLate = this.#host.turns - Math.max(subscribedAt, changedAt) > this.#host.patience;
    const isWaiting = judge.interests.size > 0 && judge.isFast && !judge.hasId && !judge.comesBack;
    if (isLate && isWaiting && this.isOpen) {
      this.#host.fail(this.name, 'lost', 'connected for a while, and has been told no position');
    }
    if (judge.comesBackFrom(this.#lastEventId)) this.#floors = judge.floors();
    transport.destroy();
  }

  /** The application closes the stream. */
  close(): void {
    if (!this.isOpen) return;
    this.judge?.close();
    this.#connection?.stream.close();
  }

  /** Its hub will be told that the stream has to end: its owner is disconnected on another node, or messages are lost. */
  endsFromAfar(): void {
    // A hub that has not told it anything may not have asked its broker for anything yet.
    if (this.#connection !== undefined && this.judge?.hasId) this.#connection.isToEnd = true;
  }

  /** The message that was to end it may not have been stored. */
  needNotEnd(): void {
    if (this.#connection !== undefined) this.#connection.isToEnd = false;
  }

  get isToEnd(): boolean {
    if (!this.isConnected || this.#connection?.isToEnd !== true) return false;
    // One that was stalled in a write has to read first.
    return !this.#connection.hasEnded && this.#connection.transport.isReading;
  }

  send(): void {
    if (!this.isOpen) return;
    const { judge, stream } = this.#connection as Connection;
    const sent = judge.send();
    const hasRoom = stream.send(String(sent.serial), { event: 'sent' });
    judge.settle(sent, hasRoom || this.isOpen);
  }

  /** It forgets everything, as a page does that is loaded again. */
  forget(): void {
    if (!this.isConnected) this.#lastEventId = undefined;
  }
}
