import { TidingsError } from '../base/errors.ts';
import type { Broker } from '../log/broker/broker.ts';
import type { BrokerSync } from '../log/broker/broker-sync.ts';
import { brokerUnreachable } from '../log/broker/publish-queue.ts';
import type { Log } from '../log/log.ts';
import { within } from './closing/deadline.ts';
import type { Channel } from './hub-channel.ts';

/** The hub whose broker is asked. Without a broker, the log of this process answers. */
export interface BrokerCallsOptions {
  readonly log: Log;
  readonly broker: Broker | undefined;
  readonly sync: BrokerSync | undefined;
  /** ms that the broker has. */
  readonly timeout: number;
  /** The state of a channel in this process. */
  readonly stateHere: (channel: string) => Awaited<ReturnType<Channel['state']>>;
}

/** What an application asks of the broker. Each call rejects with a TidingsError: `broker`. */
export class BrokerCalls {
  readonly #options: BrokerCallsOptions;

  constructor(options: BrokerCallsOptions) {
    this.#options = options;
  }

  async position(): Promise<string> {
    const { log, sync } = this.#options;
    if (sync === undefined) return log.id(log.head);
    const { epoch, head } = await this.answer(sync.head());
    return log.acknowledge(epoch, head);
  }

  async ready(): Promise<void> {
    const { sync } = this.#options;
    if (sync !== undefined) await this.answer(sync.start());
  }

  async state(channel: string): ReturnType<Channel['state']> {
    const { broker, sync, stateHere } = this.#options;
    if (broker === undefined || sync === undefined) return stateHere(channel);
    const { state } = await this.answer(sync.start().then(() => broker.state(channel)));
    return state;
  }

  /**
   * Settles as a call does.
   *
   * @throws {TidingsError} `broker`: it has failed, or has not answered in time.
   */
  async answer<T>(call: Promise<T>): Promise<T> {
    const { timeout, sync } = this.#options;
    try {
      return await within(timeout, call, () => brokerUnreachable('broker', timeout, sync?.health.cause));
    } catch (cause) {
      const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
      throw hasCode ? cause : new TidingsError('broker', 'the broker failed', { cause });
    }
  }
}
