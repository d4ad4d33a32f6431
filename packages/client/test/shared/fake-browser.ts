import { vi } from 'vitest';
import { Chance } from '../../../../test/model/chance.ts';
import { currentTab, type FakeTab, fakeTimers, sleep } from './fake-tab.ts';

interface Request {
  readonly name: string;
  readonly tab: FakeTab;
  grant(): void;
  /** Another request has taken the lock. */
  stolen(): void;
}

const tabNow = () => currentTab() as FakeTab;

/** The Web Locks API, for tabs of one process. */
class FakeLocks {
  #pending: Request[] = [];
  readonly #held = new Map<string, Request>();

  request(
    name: string,
    { signal, steal = false }: { signal?: AbortSignal; steal?: boolean },
    callback: () => Promise<unknown>,
  ): Promise<unknown> {
    const tab = tabNow();
    return new Promise((resolve, reject) => {
      const abort = () => reject(new DOMException('', 'AbortError'));
      const request: Request = {
        name,
        tab,
        grant: () => {
          tab.queue('lock', () => {
            tab.note('has', name);
            callback().then(result => {
              this.#release(request);
              resolve(result);
            });
          });
        },
        stolen: () => tab.queue('lock', abort),
      };
      tab.closed.addEventListener('abort', () => this.#release(request));
      signal?.addEventListener('abort', () => {
        if (!this.#pending.includes(request)) return;
        this.#release(request);
        abort();
      });
      if (steal) {
        this.#held.get(name)?.stolen();
        this.#held.delete(name);
        this.#pending.unshift(request);
      } else this.#pending.push(request);
      this.#grantNext(name);
    });
  }

  async query() {
    return { pending: this.#pending.map(({ name }) => ({ name })) };
  }

  #release(request: Request): void {
    this.#pending = this.#pending.filter(other => other !== request);
    if (this.#held.get(request.name) !== request) return;
    this.#held.delete(request.name);
    this.#grantNext(request.name);
  }

  #grantNext(name: string): void {
    const next = this.#pending.find(request => request.name === name);
    if (next === undefined || this.#held.has(name)) return;
    this.#pending = this.#pending.filter(request => request !== next);
    this.#held.set(name, next);
    next.grant();
  }
}

export const fakeLocks = new FakeLocks();

const channels = new Set<FakeBroadcastChannel>();
const chance = new Chance(1);

/** Messages of one sender arrive in their order; those of several, in any. */
export class FakeBroadcastChannel {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  readonly #name: string;
  readonly #tab = tabNow();
  /** When the last message to each arrives. */
  readonly #arrivals = new WeakMap<FakeBroadcastChannel, Promise<void>>();

  constructor(name: string) {
    this.#name = name;
    channels.add(this);
  }

  postMessage(message: unknown): void {
    this.#tab.note('posts', structuredClone(message));
    for (const other of channels) {
      if (other === this || other.#name !== this.#name) continue;
      const data = structuredClone(message);
      const before = this.#arrivals.get(other) ?? Promise.resolve();
      const delay = chance.is(0.1) ? chance.between(1, 20) : 0;
      const arrival = before.then(() => sleep(delay));
      this.#arrivals.set(other, arrival);
      arrival.then(() => other.#tab.queue('message', () => other.#hear(data)));
    }
  }

  #hear(data: unknown): void {
    if (!channels.has(this)) return;
    const { type, term, n } = data as Record<string, unknown>;
    this.#tab.note('hears', type, term, n);
    this.onmessage?.({ data });
  }

  close(): void {
    channels.delete(this);
  }
}

/** Gives this process what pages have that share a connection. Call it before a client connects. */
export function stubBrowser(): void {
  vi.stubGlobal('navigator', { onLine: true, locks: fakeLocks });
  vi.stubGlobal('BroadcastChannel', FakeBroadcastChannel);
  vi.stubGlobal('setTimeout', fakeTimers.setTimeout);
  vi.stubGlobal('clearTimeout', fakeTimers.clearTimeout);
  vi.stubGlobal('addEventListener', (...args: Parameters<EventTarget['addEventListener']>) =>
    currentTab()?.window.addEventListener(...args),
  );
}
