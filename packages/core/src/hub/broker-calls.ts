import { TidingsError } from '../base/errors.ts';
import type { Broker } from '../log/broker/broker.ts';
import type { BrokerSync } from '../log/broker/broker-sync.ts';
import { brokerUnreachable } from '../log/broker/publish-queue.ts';
import type { Log } from '../log/log.ts';
import { within } from './closing/deadline.ts';
import type { Channel } from './hub-channel.ts';

/** What the calls need of their hub. Without a broker, the log of this process has the results. */
export interface BrokerCallsOptions {
  readonly log: Log;
  readonly broker: Broker | undefined;
  readonly sync: BrokerSync | undefined;
  /** ms after which a call rejects. */
  readonly timeout: number;
  /** The state of a channel in this process. */
  readonly localState: (channel: string) => Awaited<ReturnType<Channel['state']>>;
}

/** The calls of an application that need a response of the broker. Each rejects with a TidingsError `broker`. */
export class BrokerCalls {
  readonly #options: BrokerCallsOptions;

  constructor(options: BrokerCallsOptions) {
    this.#options = options;
  }

  async position(): Promise<string> {
    const { log, sync } = this.#options;
    if (sync === undefined) return log.id(log.head);
    const { epoch, head } = await this.withDeadline(sync.head());
    return log.acknowledge(epoch, head);
  }

  async ready(): Promise<void> {
    const { sync } = this.#options;
    if (sync !== undefined) await this.withDeadline(sync.start());
  }

  async state(channel: string): ReturnType<Channel['state']> {
    const { broker, sync, localState } = this.#options;
    if (broker === undefined || sync === undefined) return localState(channel);
    const { state } = await this.withDeadline(sync.start().then(() => broker.state(channel)));
    return state;
  }

  /**
   * Settles like a call of the broker, but at the latest after `timeout`.
   *
   * @throws {TidingsError} `broker`: the call has failed, or has not settled in time.
   */
  async withDeadline<T>(call: Promise<T>): Promise<T> {
    const { timeout, sync } = this.#options;
    try {
      return await within(timeout, call, () => brokerUnreachable('broker', timeout, sync?.health.cause));
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      throw hasCode ? cause : new TidingsError('broker', 'the broker failed', { cause });
    }
  }
}
