import { getEventListeners } from 'node:events';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { reaches, serve, until } from './harness.ts';

/** Watches the timers of more than 4 s, which are not those of the tests and of fetch. Returns those that run. */
function watchTimers(): () => unknown[] {
  const started = vi.spyOn(globalThis, 'setTimeout');
  const cleared = vi.spyOn(globalThis, 'clearTimeout');
  onTestFinished(() => {
    started.mockRestore();
    cleared.mockRestore();
  });
  return () => {
    const ended = new Set(cleared.mock.calls.map(([timer]) => timer));
    const running = started.mock.results.map(({ value }) => value);
    return running.filter((timer, n) => Number(started.mock.calls[n]?.[1]) > 4_000 && !ended.has(timer));
  };
}

describe('close() leaves no timer, listener or request', () => {
  it.each([
    ['open', (respond: () => void) => respond()],
    ['waiting', () => {}],
  ])('of a connection that is %s: no timer, no listener, no request', async (state, choose) => {
    const site = await serve();
    const { respond } = site;
    site.respond = (_req, res) => res.writeHead(503, { 'retry-after': '60' }).end();
    choose(() => {
      site.respond = respond;
    });
    const { signal } = new AbortController();
    const timers = watchTimers();
    const events = site.connect({ signal, silence: 60_000 });
    await until(() => events.state === state);
    expect(timers()).not.toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    events.close();
    expect(timers()).toEqual([]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    await site.has(0);
  });
});

/** Counts numbers by the sixtieth of a range in which they are. */
function histogram(numbers: readonly number[], from: number, to: number): number[] {
  const counts = Array.from({ length: 60 }, () => 0);
  for (const number of numbers) {
    const slot = Math.floor(((number - from) / (to - from)) * counts.length);
    counts[slot] = (counts[slot] ?? Number.NaN) + 1;
  }
  return counts;
}

describe('1,000 clients', () => {
  const CLIENTS = 1_000;
  /** Of a random schedule: 17 are expected in each interval, and more than this once in a million runs. */
  const MOST = 48;

  it('spread their attempts after a broken connection, and wait for the `retry` of the server after a deploy', async () => {
    const site = await serve();
    const retry = { initial: 60_000, max: 60_000 };
    const clients = Array.from({ length: CLIENTS }, () => site.connect({ retry }));
    const areOpen = async () => {
      await site.has(CLIENTS);
      await Promise.all(clients.map(events => reaches(events, 'open')));
    };
    /** The waits that the clients choose when all streams end, in ms. */
    const waitsAfter = async (end: () => unknown) => {
      await areOpen();
      const started = vi.spyOn(globalThis, 'setTimeout');
      const waits: number[] = [];
      const stops = clients.map(events =>
        events.on('state', () => waits.push(started.mock.lastCall?.[1] ?? Number.NaN)),
      );
      await end();
      await until(() => clients.every(({ state }) => state === 'waiting'));
      started.mockRestore();
      for (const stop of stops) stop();
      return waits;
    };
    const afterCut = await waitsAfter(() => site.cut());
    expect(afterCut).toHaveLength(CLIENTS);
    expect(Math.max(...histogram(afterCut, 0, 60_000))).toBeLessThan(MOST);
    for (const events of clients) events.reconnect();
    const afterDeploy = await waitsAfter(() => site.hub.close({ within: 60_000, retry: [60_000, 120_000] }));
    expect(afterDeploy).toHaveLength(CLIENTS);
    expect(Math.max(...histogram(afterDeploy, 60_000, 120_001))).toBeLessThan(MOST);
    expect(site.requests).toHaveLength(2 * CLIENTS);
  });
});
