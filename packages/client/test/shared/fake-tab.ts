import { AsyncLocalStorage } from 'node:async_hooks';
import { setMaxListeners } from 'node:events';
import type { Chance } from '../../../../test/model/chance.ts';

/** Where tasks of a page come from. A browser keeps the order within each, and no order between them. */
type Source = 'timer' | 'message' | 'lock' | 'network';

const current = new AsyncLocalStorage<FakeTab>();

/** The tab that runs. */
export const currentTab = () => current.getStore();

const { setTimeout: setRealTimeout, clearTimeout: clearRealTimeout } = globalThis;

/** Resolves after some time, which no tab can block. */
export const sleep = (ms: number) => new Promise<void>(resolve => setRealTimeout(resolve, ms));

const cleared = new WeakSet<object>();

/** Timers of a tab are tasks of it. Those of everything else, such as the server, are not touched. */
export const fakeTimers = {
  setTimeout<Args extends unknown[]>(callback: (...args: Args) => void, ms?: number, ...args: Args) {
    const tab = currentTab();
    if (tab === undefined) return setRealTimeout(callback, ms, ...args);
    const run = () => cleared.has(timer) || callback(...args);
    const timer = setRealTimeout(() => tab.queue('timer', run), ms);
    return timer;
  },
  clearTimeout(timer: NodeJS.Timeout | undefined) {
    if (timer !== undefined) cleared.add(timer);
    clearRealTimeout(timer);
  },
};

/** A page: whatever happens to it is a task, and tasks wait while it is blocked. */
export class FakeTab {
  /** `pagehide` and the like are dispatched here. */
  readonly window = new EventTarget();
  readonly #chance: Chance;
  readonly #controller = new AbortController();
  readonly #tasks = new Map<Source, (() => void)[]>();
  #isBlocked = false;

  /** @param note takes down what happens. */
  constructor(
    chance: Chance,
    readonly note: (...what: unknown[]) => void = () => {},
  ) {
    this.#chance = chance;
    setMaxListeners(0, this.closed);
  }

  /** Aborted when the tab is closed. */
  get closed(): AbortSignal {
    return this.#controller.signal;
  }

  run<T>(task: () => T): T {
    return current.run(this, task);
  }

  queue(source: Source, task: () => void): void {
    const tasks = this.#tasks.get(source) ?? [];
    this.#tasks.set(source, tasks);
    tasks.push(task);
    setImmediate(() => this.#runOne());
  }

  /** Resolves in a task of the tab. */
  turn(source: Source): Promise<void> {
    return new Promise(resolve => this.queue(source, resolve));
  }

  block(ms: number): void {
    this.#isBlocked = true;
    this.note('is blocked for', ms);
    sleep(ms).then(() => {
      this.#isBlocked = false;
      for (const tasks of this.#tasks.values()) for (const _ of tasks) setImmediate(() => this.#runOne());
    });
  }

  /** Without a word to the page. */
  close(): void {
    this.#controller.abort();
    this.#tasks.clear();
  }

  #runOne(): void {
    if (this.#isBlocked || this.closed.aborted) return;
    const ready = [...this.#tasks.values()].filter(tasks => tasks.length > 0);
    const task = ready.length > 0 ? this.#chance.of(ready).shift() : undefined;
    if (task) this.run(task);
  }

  /** A `fetch` with a slow network: requests, responses and their pieces take their time. */
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    // Not AbortSignal.any(): in Node.js 20 it loses signals that are collected.
    const controller = new AbortController();
    const { signal } = controller;
    for (const each of [this.closed, init.signal as AbortSignal])
      each.addEventListener('abort', () => controller.abort());
    if (init.signal?.aborted) controller.abort();
    const { method, body: sent } = init;
    this.note(method, sent ?? (init.headers as Headers).get('last-event-id'));
    await this.#pause(10);
    const { status, headers, body } = await current.exit(() => fetch(url, { ...init, signal }));
    await this.#pause(10);
    await this.turn('network');
    this.note(method, status, headers.get('tidings-position') ?? headers.get('tidings-stream'));
    if (body === null) return new Response(null, { status, headers });
    const pieces = this.#slowly(body);
    return new Response(pieces, { status, headers });
  };

  #slowly(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let rest: Uint8Array | undefined;
    return new ReadableStream<Uint8Array>(
      {
        pull: async controller => {
          rest ??= (await reader.read()).value;
          if (this.#chance.is(0.1)) await this.#pause(20);
          await this.turn('network');
          if (rest === undefined) return controller.close();
          const isCut = this.#chance.is(0.2);
          const end = isCut ? this.#chance.between(1, rest.length) : rest.length;
          const piece = rest.subarray(0, end);
          this.note('receives', piece);
          controller.enqueue(piece);
          rest = end < rest.length ? rest.subarray(end) : undefined;
        },
        cancel: reason => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
  }

  #pause(most: number): Promise<void> {
    return sleep(this.#chance.between(0, most));
  }
}
