import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Broker, Sink } from '@tidings/core';
import { root, snippet } from './snippets.ts';

interface Page {
  MemoryLog: new () => object;
  memoryBroker(log: object): Broker;
}

// Among the tests, so that the packages are found as from any other.
const folder = mkdtempSync(`${root}test/.snippets-`);
writeFileSync(`${folder}/broker.ts`, snippet('docs/broker.md', 'broker'));
const page: Page = await import(`${folder}/broker.ts`);
rmSync(folder, { recursive: true });

/** The log that hubs share: the broker of docs/broker.md. */
export class MemoryLog {
  readonly #log = new page.MemoryLog();

  broker(): Broker {
    return page.memoryBroker(this.#log);
  }
}

type Call = keyof Broker;

/** A broker whose answers the test withholds, or replaces with rejections. */
export class FaultyBroker {
  /** Give this to the hub. */
  readonly broker: Broker;
  /** The names of the calls that came, in order. */
  readonly calls: string[] = [];
  /** What the broker gives its entries to. */
  sink: Sink | undefined;
  #isHolding = false;
  #held: (() => void)[] = [];
  #onHeld: (() => void)[] = [];
  #failures = new Map<string, number>();
  #rejections = 0;
  #onRejection: (() => void)[] = [];

  constructor(inner: Broker) {
    this.broker = new Proxy(inner, {
      get: (target, name: Call) => {
        const call = target[name] as unknown;
        if (typeof call !== 'function') return call;
        if (name === 'close') return call.bind(target);
        return (...args: unknown[]) => this.#call(name, () => call.apply(target, args), args);
      },
    });
  }

  /** How many calls have been rejected by this. */
  get rejections(): number {
    return this.#rejections;
  }

  /** From now on no call is answered; what it does is done at once. */
  hold(): void {
    this.#isHolding = true;
  }

  /** Answers what is held, and what comes from now on. */
  release(): void {
    this.#isHolding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  /** Resolves when a call is held. */
  holding(): Promise<void> {
    return new Promise(resolve => {
      if (this.#held.length > 0) resolve();
      else this.#onHeld.push(resolve);
    });
  }

  /** Rejects the next calls of this name. Infinity: until `recover`. */
  fail(name: Call, times: number): void {
    this.#failures.set(name, times);
  }

  /** Rejects every call, until `recover`. */
  goAway(): void {
    this.#failures.set('*', Number.POSITIVE_INFINITY);
  }

  recover(): void {
    this.#failures.clear();
  }

  /** Resolves with the next rejection. */
  rejected(): Promise<void> {
    return new Promise(resolve => this.#onRejection.push(resolve));
  }

  #call(name: Call, run: () => unknown, args: unknown[]): unknown {
    this.calls.push(name);
    if (name === 'start') this.sink = args[0] as Sink;
    // What returns no promise cannot be late.
    if (name === ('shut' as Call) || name === ('release' as Call)) return run();
    for (const key of [name, '*']) {
      const left = this.#failures.get(key) ?? 0;
      if (left === 0) continue;
      this.#failures.set(key, left - 1);
      this.#rejections += 1;
      for (const resolve of this.#onRejection.splice(0)) resolve();
      return Promise.reject(new Error('the broker is away'));
    }
    if (!this.#isHolding) return run();
    const answer = new Promise<unknown>(resolve => this.#held.push(() => resolve(result)));
    const result = run();
    // Nobody awaits it until it is given out.
    Promise.resolve(result).catch(() => {});
    for (const resolve of this.#onHeld.splice(0)) resolve();
    return answer;
  }
}
