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

describe('close leaves nothing', () => {
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

describe('a deploy', () => {
  it('spreads the attempts of clients: each waits as long as the server has told it', async () => {
    const site = await serve();
    const clients = Array.from({ length: 100 }, () => site.connect());
    await site.has(clients.length);
    await Promise.all(clients.map(events => reaches(events, 'open')));
    const started = vi.spyOn(globalThis, 'setTimeout');
    onTestFinished(() => started.mockRestore());
    const waits: number[] = [];
    for (const events of clients) {
      events.on('state', () => waits.push(started.mock.lastCall?.[1] ?? 0));
    }
    await site.hub.close({ within: 2_000, retry: [60_000, 120_000] });
    await until(() => clients.every(({ state }) => state === 'waiting'));
    expect(waits).toHaveLength(clients.length);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(60_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(120_000);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(50_000);
    expect(site.requests).toHaveLength(clients.length);
  });
});
