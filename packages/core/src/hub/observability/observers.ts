import { bindContext } from '../../base/async-context.ts';
import { isThenable } from '../../base/deferred.ts';
import type { Observer } from './observer.ts';

/** Callbacks that run in the async context of the request, and not in that of their registration. */
const IN_REQUEST: ReadonlySet<keyof Observer> = new Set(['opened', 'refused']);

/** An observer, and how to run its callbacks in the async context in which it was registered. */
interface Registration {
  readonly observer: Partial<Record<keyof Observer, (...args: unknown[]) => unknown>>;
  readonly run: (callback: () => void) => void;
}

/** The observers of a hub. */
export class Observers {
  /** Whether one of them has `delivered`, which is called for every write. */
  hasDelivered = false;
  readonly #registrations = new Set<Registration>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  get isEmpty(): boolean {
    return this.#registrations.size === 0;
  }

  /** Returns a function that removes it again. */
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

  /** Calls one callback of each observer that has it. */
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
      // It may be async.
      if (isThenable(result)) Promise.resolve(result).catch(this.#onError);
    } catch (error) {
      this.#onError(error);
    }
  }
}
