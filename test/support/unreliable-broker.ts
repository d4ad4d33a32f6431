import { type Broker, createHub, type HubOptions, type Sink } from '@tidings/core';
import { onTestFinished } from 'vitest';
import { FaultyBroker, MemoryLog } from './memory-broker.ts';

/** A broker that withholds or loses what it delivers, and whose log the test replaces with an empty one. */
class UnreliableBroker {
  readonly broker: Broker;
  /** Deliveries are withheld until `catchUp` or the next `open`. */
  isBehind = false;
  /** The hub receives the head only from its calls. */
  isSilent = false;
  #inner: Broker;
  #sink: Sink | undefined;
  #withheld: ((sink: Sink) => void)[] = [];

  constructor(log: MemoryLog) {
    this.#inner = log.broker();
    const own: Partial<Broker> = {
      start: sink => {
        this.#sink = sink;
        return this.#start();
      },
      open: wants => {
        this.#deliver();
        return this.#inner.open(wants);
      },
    };
    this.broker = new Proxy(this.#inner, {
      get: (_, name: keyof Broker) => {
        return (
          own[name] ?? ((...args: never[]) => (this.#inner[name] as (...args: never[]) => unknown)(...args))
        );
      },
    });
  }

  catchUp(): void {
    this.isBehind = false;
    this.#deliver();
  }

  /** What is withheld is lost: of these channels; absent: of all. */
  lose(channels?: string[]): void {
    this.isBehind = false;
    this.#withheld = [];
    this.#sink?.lost(channels);
  }

  /** Begins a new epoch, with another log. */
  async restart(log: MemoryLog): Promise<void> {
    await this.#inner.close();
    this.#inner = log.broker();
    this.#withheld = [];
    const { epoch, head } = await this.#start();
    this.#sink?.restarted(epoch, head);
  }

  #start() {
    return this.#inner.start({
      ...(this.#sink as Sink),
      entries: list => this.#give(sink => sink.entries(list)),
      advanced: head => {
        if (!this.isSilent) this.#give(sink => sink.advanced(head));
      },
    });
  }

  #give(delivery: (sink: Sink) => void): void {
    this.#withheld.push(delivery);
    if (!this.isBehind) this.#deliver();
  }

  #deliver(): void {
    for (const delivery of this.#withheld.splice(0)) delivery(this.#sink as Sink);
  }
}

/** A hub, its broker, which fails as the test orders, and another hub with the same log. */
export function unreliableHub(options: HubOptions = {}, otherOptions: HubOptions = {}) {
  const log = new MemoryLog();
  const unreliable = new UnreliableBroker(log);
  const faulty = new FaultyBroker(unreliable.broker);
  const hub = hubOf({ broker: faulty.broker, ...options });
  return { hub, other: hubOf({ broker: log.broker(), ...otherOptions }), faulty, unreliable };
}

/** A hub that is closed after the test. */
export function hubOf(options: HubOptions) {
  const hub = createHub({ heartbeat: false, onError: () => {}, ...options });
  onTestFinished(() => hub.close({ within: 0 }));
  return hub;
}
