import { invalid } from '../base/option-checks.ts';
import type { SubscribeOptions } from '../delivery/subscriptions/subscribe-options.ts';
import { readSubscribeOptions } from '../delivery/subscriptions/subscribe-options.ts';
import { type ChannelName, namesOf } from '../protocol/channel-name.ts';
import type { EventStream } from '../stream/event-stream.ts';
import type { ControlMessage, Target } from './control.ts';

/**
 * The streams that a call applies to: a client (all of its streams), the id of one stream, or a stream. If an object
 * has a `client`, that client must own the stream.
 */
export type Who = string | { readonly id: string; readonly client?: string | undefined };

/**
 * The open streams of each client ({@link StreamOptions.client}). Iterates over pairs of client and streams.
 *
 * The calls that return a promise apply to the streams of all processes that are open at that moment, in order with
 * `publish`. The promise resolves when the broker has stored the call; without a broker, immediately. It rejects if the
 * broker cannot store it: `not-stored` or `maybe-stored`.
 */
export interface ClientRegistry<Data = unknown>
  extends Iterable<[client: string, streams: ReadonlySet<EventStream<Data>>]> {
  /** Number of clients that have a stream in this process. */
  readonly size: number;
  /** Returns whether a client has a stream in this process. */
  has(client: string): boolean;
  /** Returns the streams of a client in this process, oldest first; empty if it has none. */
  get(client: string): ReadonlySet<EventStream<Data>>;
  /**
   * Closes streams. They receive no event that is published after the promise has resolved. The client may reconnect:
   * to prevent that, refuse its requests in your authentication.
   */
  disconnect(who: Who): Promise<void>;
  /**
   * Subscribes streams to channels. They receive the events that are published after this call. A channel to which a
   * stream is subscribed already keeps its position.
   *
   * @param options `from` as in {@link EventStream.subscribe}. No `filter`, because functions cannot be sent to other
   *   processes.
   * @throws {TidingsError} `invalid-option`: a channel without a name, or an invalid option, by its name.
   */
  subscribe(
    who: Who,
    channels: ChannelName | readonly ChannelName[],
    options?: Pick<SubscribeOptions, 'from'>,
  ): Promise<void>;
  /**
   * Ends subscriptions of streams. They receive the events of these channels that were published before this call, and
   * none that is published after the promise has resolved.
   *
   * @throws {TidingsError} `invalid-option`: a channel without a name.
   */
  unsubscribe(who: Who, channels: ChannelName | readonly ChannelName[]): Promise<void>;
  /**
   * Returns the number of clients that have a stream in any process. With `presence`, it includes clients whose last
   * stream closed less than `linger` ms ago.
   *
   * @returns a promise that rejects with a TidingsError: `invalid-option` for a hub with a broker and without
   *   `presence`; `broker` if the broker does not respond within `publishTimeout`.
   */
  count(): Promise<number>;
  /**
   * Calls `authorize` again for each channel of streams. Events that are published to these channels from now on are
   * delivered only after it has allowed them.
   */
  recheck(who: Who): Promise<void>;
}

const NONE: ReadonlySet<never> = new Set<never>();

/** What the registry needs of its hub. */
export interface ClientsHub<S> {
  /** Sends a message to all processes, this one included. */
  send(message: ControlMessage): Promise<void>;
  /** Asks again whether a stream of this process may follow its channels. */
  recheck(stream: S): void;
  /** Counts the clients of all processes. */
  count(): Promise<number>;
}

/** The {@link ClientRegistry} of a hub, with the methods by which the hub updates it. */
export class Clients<S extends EventStream> implements ClientRegistry {
  /** Most clients have one stream. A Set for each would take about a tenth of the memory of a stream. */
  readonly #streams = new Map<string, S | Set<S>>();
  /** Streams whose id the application has read. */
  readonly #byId = new Map<string, S>();
  readonly #hub: ClientsHub<S>;

  constructor(hub: ClientsHub<S>) {
    this.#hub = hub;
  }

  get size(): number {
    return this.#streams.size;
  }

  has(client: string): boolean {
    return this.#streams.has(client);
  }

  get(client: string): ReadonlySet<S> {
    const streams = this.#streams.get(client);
    if (streams === undefined) return NONE;
    return streams instanceof Set ? streams : new Set([streams]);
  }

  *[Symbol.iterator](): IterableIterator<[string, ReadonlySet<S>]> {
    for (const client of this.#streams.keys()) yield [client, this.get(client)];
  }

  /** The streams of this process that a message is for. */
  find({ who, owner }: Target): ReadonlySet<S> {
    const stream = this.#byId.get(who);
    const found = stream === undefined ? this.get(who) : new Set([stream]);
    return owner === undefined ? found : new Set([...found].filter(({ client }) => client === owner));
  }

  disconnect(who: Who): Promise<void> {
    const target = targetOf(who);
    // The streams of this process close immediately, because the broker may be unreachable.
    for (const stream of this.find(target)) stream.close();
    return this.#hub.send({ type: 'disconnect', ...target });
  }

  subscribe(
    who: Who,
    channels: ChannelName | readonly ChannelName[],
    options: Pick<SubscribeOptions, 'from'> = {},
  ): Promise<void> {
    const target = targetOf(who);
    const { from, filter } = readSubscribeOptions(options);
    if (filter !== undefined)
      throw invalid('filter', 'left out: a function cannot be sent to other processes', filter);
    return this.#hub.send({ type: 'subscribe', ...target, channels: namesOf(channels), options: { from } });
  }

  unsubscribe(who: Who, channels: ChannelName | readonly ChannelName[]): Promise<void> {
    return this.#hub.send({ type: 'unsubscribe', ...targetOf(who), channels: namesOf(channels) });
  }

  count(): Promise<number> {
    return this.#hub.count();
  }

  recheck(who: Who): Promise<void> {
    const target = targetOf(who);
    for (const stream of this.find(target)) this.#hub.recheck(stream);
    return this.#hub.send({ type: 'recheck', ...target });
  }

  add(stream: S): void {
    const { client } = stream;
    if (client === undefined) return;
    const others = this.#streams.get(client);
    if (others === undefined) this.#streams.set(client, stream);
    else if (others instanceof Set) others.add(stream);
    else this.#streams.set(client, new Set([others, stream]));
  }

  /** Called when the id of a stream was assigned. */
  name(stream: S): void {
    this.#byId.set(stream.id, stream);
  }

  /** @param id the id of the stream, if one was assigned. */
  delete(stream: S, id: string | undefined): void {
    if (id !== undefined) this.#byId.delete(id);
    const { client } = stream;
    if (client === undefined) return;
    const streams = this.#streams.get(client);
    if (streams === stream) this.#streams.delete(client);
    else if (streams instanceof Set && streams.delete(stream) && streams.size === 0)
      this.#streams.delete(client);
  }
}

/** @throws {TidingsError} `invalid-option`: the value is neither a client nor a stream. */
function targetOf(who: Who): Target {
  if (typeof who === 'string') return { who };
  if (typeof who?.id !== 'string') throw invalid('who', 'a client, the id of a stream, or a stream', who);
  return { who: who.id, owner: who.client };
}
