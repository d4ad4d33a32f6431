import { bindContext } from '../../base/async-context.ts';
import { isThenable } from '../../base/deferred.ts';
import type { Observer } from './observer.ts';

/** Callbacks that run in the async context of the request instead of that of their registration. */
const IN_REQUEST: ReadonlySet<keyof Observer> = new Set(['opened', 'refused']);

interface Registration {
  readonly observer: Partial<Record<keyof Observer, (...args: unknown[]) => unknown>>;
  /** Runs a callback in the async context in which the observer was registered. */
  readonly run: (callback: () => void) => void;
}

/** The observers of a hub. */
export class Observers {
  /** Whether an observer has the callback `delivered`. It is called for every write, so it is skipped if possible. */
  hasDelivered = false;
  readonly #registrations = new Set<Registration>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get isEmpty(): boolean {
    return this.#registrations.size === 0;
  }

  /** Returns a function that removes the observer. */
  add(observer: Observer): () => void {
    const registration = {
      observer: observer as Registration['observer'],
      run: bindContext((callback: () => void) => callback()),
    };
    this.#registrations.add(registration);
    this.#changed();
    return () => {
      this.#registrations.delete(registration);
      this.#changed();
    };
  }

  #changed(): void {
    this.hasDelivered = [...this.#registrations].some(({ observer }) => observer.delivered !== undefined);
  }

  /** Calls a callback of all observers that have it. */
  notify<Name extends keyof Observer>(name: Name, ...args: Parameters<NonNullable<Observer[Name]>>): void {
    for (const { observer, run } of this.#registrations) {
      if (observer[name] === undefined) continue;
      const call = () => this.#call(() => observer[name]?.(...args));
      if (IN_REQUEST.has(name)) call();
      else run(call);
    }
  }

  #call(callback: () => unknown): void {
    try {
      const result = callback();
      if (isThenable(result)) Promise.resolve(result).catch(this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }
}
