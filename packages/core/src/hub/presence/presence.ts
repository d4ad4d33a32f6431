import type { Scheduler, Timed } from '../../base/scheduler.ts';
import type { EventStream } from '../../stream/event-stream.ts';
import type { ClientRegistry } from '../clients.ts';
import type { PublishFields } from '../hub-channel.ts';
import type { ListenEvent } from '../listening/listen-options.ts';
import type { Listeners, Listening } from '../listening/listeners.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { Lease, LeaseResult } from './leases.ts';
import type { PresenceSettings } from './presence-options.ts';

/** What presence needs of its hub. */
export interface PresenceHub {
  readonly scheduler: Scheduler;
  readonly listeners: Listeners;
  readonly clients: Pick<ClientRegistry, 'get' | 'has'>;
  readonly lease: Lease;
  /** Publishes to the channel of the list. Also reports a rejection. */
  readonly publish: (channel: string, data: unknown, fields: PublishFields) => Promise<string>;
  readonly onError: (error: unknown) => void;
}

/** Minimum ms after which the leases of a process expire. */
const SHORTEST_LEASE = 5_000;

/** Number of renewals within the ttl of a lease. */
const RENEWALS = 3;

/**
 * Publishes the list of the clients that are connected to any process, in a compacted channel.
 *
 * A client is wanted while it has a stream in this process, and for `linger` after that. A {@link LeaseKeeper} holds a
 * lease for each wanted client, and returns which clients came and which left all processes. These changes are
 * published. The hub also follows the channel: a wanted client that is not listed at two consecutive renewals is
 * published again.
 *
 * Presence starts with the first stream of the hub.
 */
export class Presence {
  readonly #hub: PresenceHub;
  readonly #settings: PresenceSettings;
  readonly #keeper: LeaseKeeper;
  /** ms after which the leases of this process expire. */
  readonly #ttl: number;
  readonly #wanted = new Set<string>();
  readonly #listed = new Set<string>();
  /** Clients whose `left` was published and has not arrived yet. It is not published a second time. */
  readonly #leaving = new Set<string>();
  /** Wanted clients without a stream, and the timer of their `linger`. */
  readonly #lingering = new Map<string, Timed>();
  /** Wanted clients that were not listed at the last renewal. */
  #missing = new Set<string>();
  /** The listener of the channel. */
  #listening: Listening | undefined;
  #renewals = 0;
  /** ms, by the clock of the hub. */
  #renewalDue = 0;
  #isClosing = false;
  readonly #renewal: Timed = { slot: undefined, run: now => this.#renew(now) };

  constructor(hub: PresenceHub, settings: PresenceSettings) {
    this.#hub = hub;
    this.#settings = settings;
    this.#ttl = Math.max(SHORTEST_LEASE, 2 * settings.linger);
    this.#keeper = new LeaseKeeper({
      lease: hub.lease,
      ttl: this.#ttl,
      wanted: this.#wanted,
      listed: this.#listed,
      announce: result => this.#announce(result),
      onError: hub.onError,
    });
  }

  /** Resolves with the number of listed clients, when the list was received. */
  async count(): Promise<number> {
    await this.#start().ready;
    return this.#listed.size;
  }

  opened({ client }: EventStream): void {
    this.#start();
    if (client === undefined || this.#isClosing) return;
    const lingering = this.#lingering.get(client);
    if (lingering !== undefined) {
      this.#hub.scheduler.delete(lingering);
      this.#lingering.delete(client);
    }
    if (this.#wanted.has(client)) return;
    this.#wanted.add(client);
    this.#keeper.hold(client);
  }

  closed({ client }: EventStream): void {
    const { scheduler, clients } = this.#hub;
    if (client === undefined || this.#isClosing || clients.has(client)) return;
    const due = scheduler.now + this.#settings.linger;
    const timed: Timed = {
      slot: undefined,
      run: now => {
        // The scheduler may run an entry early.
        if (now < due) return due;
        scheduler.delete(timed);
        this.#lingering.delete(client);
        this.#wanted.delete(client);
        this.#keeper.release(client);
        return now;
      },
    };
    this.#lingering.set(client, timed);
    scheduler.add(timed, due);
  }

  /**
   * Called when the hub closes. From now on no `left` is published, because the clients reconnect to other processes.
   */
  beginClose(): void {
    this.#isClosing = true;
  }

  /** @param retry the maximum reconnection time of the clients, in ms. */
  async close(retry: number): Promise<void> {
    const { scheduler } = this.#hub;
    for (const timed of [this.#renewal, ...this.#lingering.values()]) scheduler.delete(timed);
    this.#listening?.close();
    await this.#keeper.close(retry + this.#settings.linger);
  }

  #start(): Listening {
    if (this.#listening !== undefined) return this.#listening;
    const { listeners, scheduler } = this.#hub;
    this.#listening = listeners.add([this.#settings.channel], event => this.#list(event), {
      onReset: () => {
        // The listener receives the whole list after the reset. The leases may also have been lost.
        this.#listed.clear();
        this.#leaving.clear();
        this.#keeper.startOver();
      },
    });
    this.#keeper.renew();
    this.#renewalDue = scheduler.now + this.#ttl / RENEWALS;
    scheduler.add(this.#renewal, this.#renewalDue);
    return this.#listening;
  }

  #list({ key, gone }: ListenEvent): void {
    this.#leaving.delete(key);
    if (gone) this.#listed.delete(key);
    else this.#listed.add(key);
  }

  #renew(now: number): number {
    if (now < this.#renewalDue) return this.#renewalDue;
    this.#renewals += 1;
    // Removes clients of processes that died before this hub began. It waits for one ttl, because the leases of a
    // process that has just died are held until then.
    if (this.#renewals === RENEWALS + 1) this.#keeper.verify();
    if (this.#keeper.isIdle) this.#repair();
    this.#keeper.renew();
    this.#renewalDue = now + this.#ttl / RENEWALS;
    return this.#renewalDue;
  }

  #repair(): void {
    const missing = [...this.#wanted].filter(client => !this.#listed.has(client));
    const came = missing.filter(client => this.#missing.has(client));
    this.#missing = new Set(missing);
    if (came.length > 0) void this.#announce({ came, left: [] });
  }

  /** Publishes changes. If a `came` fails, a later renewal repeats it. If a `left` fails, `verify` repeats it. */
  async #announce({ came, left }: LeaseResult): Promise<void> {
    const { channel } = this.#settings;
    const publish = (data: unknown, fields: PublishFields) => this.#hub.publish(channel, data, fields);
    const news = left.filter(client => !this.#leaving.has(client));
    const gone = news.map(client => {
      this.#leaving.add(client);
      return publish({ client }, { event: 'left', key: client, gone: true });
    });
    const here = came.map(client => {
      this.#leaving.delete(client);
      return publish(this.#describe(client), { event: 'came', key: client });
    });
    const results = await Promise.allSettled([...gone, ...here]);
    const failed = news.filter((_, index) => results[index]?.status === 'rejected');
    for (const client of failed) this.#leaving.delete(client);
    if (failed.length > 0) this.#keeper.verify();
  }

  #describe(client: string): { client: string; data?: unknown } {
    const { data } = this.#settings;
    const [stream] = this.#hub.clients.get(client);
    if (data === undefined || stream === undefined) return { client };
    try {
      return { client, data: data(stream) };
    } catch (error) {
      this.#hub.onError(error);
      return { client };
    }
  }
}
