import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collect, dataOf, reaches, serve, statesOf, until } from './harness.ts';

/** The part of a page that the client uses. test/browser has a real one. */
class FakeDocument extends EventTarget {
  visibilityState = 'visible';
  baseURI = 'http://127.0.0.1/';
  show(state: 'visible' | 'hidden') {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

describe('in a page', () => {
  let document: FakeDocument;
  let window: EventTarget;
  const navigator = { onLine: true };
  const happens = (name: string) => window.dispatchEvent(new Event(name));

  beforeEach(() => {
    document = new FakeDocument();
    window = new EventTarget();
    navigator.onLine = true;
    vi.stubGlobal('document', document);
    vi.stubGlobal('navigator', navigator);
    vi.stubGlobal('addEventListener', window.addEventListener.bind(window));
  });
  afterEach(() => void vi.unstubAllGlobals());

  it.each([
    [
      'it is hidden, with pauseWhenHidden',
      { pauseWhenHidden: 1 },
      () => document.show('hidden'),
      () => document.show('visible'),
    ],
    [
      'it is frozen',
      {},
      () => document.dispatchEvent(new Event('freeze')),
      () => document.dispatchEvent(new Event('resume')),
    ],
    [
      'it is left, for its return',
      {},
      () => {
        happens('pagehide');
        // Firefox has this order.
        document.show('hidden');
      },
      () => {
        document.show('visible');
        happens('pageshow');
      },
    ],
  ])('the connection is closed when %s, and resumes', async (_, options, leave, comeBack) => {
    const site = await serve();
    const events = site.connect(options);
    const messages = collect(events);
    const states = statesOf(events);
    await until(() => events.lastEventId !== '');
    leave();
    await reaches(events, 'waiting');
    await site.has(0);
    await site.hub.publish('news', 'meanwhile');
    comeBack();
    await until(() => messages.length === 1);
    expect(dataOf(messages)).toEqual(['meanwhile']);
    expect(states).toEqual(['open', 'waiting', 'connecting', 'open']);
  });

  it('a paused hidden page does not reconnect when the browser is online again', async () => {
    const site = await serve();
    const events = site.connect({ pauseWhenHidden: 0 });
    await reaches(events, 'open');
    document.show('hidden');
    await reaches(events, 'waiting');
    happens('online');
    expect(events.state).toBe('waiting');
  });

  it('is `offline` without a network, and reconnects when the browser is online', async () => {
    const site = await serve();
    const events = site.connect({ retry: { initial: 60_000, jitter: 0 } });
    await reaches(events, 'open');
    navigator.onLine = false;
    site.cut();
    await reaches(events, 'offline');
    navigator.onLine = true;
    happens('online');
    await reaches(events, 'open');
  });

  it('reconnects immediately when it is shown while it waits, unless the server has set the wait', async () => {
    const site = await serve();
    const events = site.connect({ retry: { initial: 60_000, jitter: 0 } });
    await reaches(events, 'open');
    site.cut();
    await reaches(events, 'waiting');
    document.show('visible');
    await reaches(events, 'open');
    site.respond = site.follow({ retry: 60_000 });
    events.reconnect();
    await until(() => site.requests.length === 3 && events.state === 'open');
    await site.has(1);
    for (const stream of site.hub.streams) stream.close();
    await reaches(events, 'waiting');
    document.show('visible');
    expect(events.state).toBe('waiting');
  });

  it('replaces a silent connection when it is shown', async () => {
    const site = await serve();
    const events = site.connect({ silence: 600_000 });
    await reaches(events, 'open');
    document.show('visible');
    expect(events.state).toBe('open');
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000);
    document.show('visible');
    now.mockRestore();
    expect(events.state).toBe('connecting');
    await reaches(events, 'open');
  });

  it('has no listener left after `close()`', async () => {
    const added: EventTarget[] = [];
    const removed: EventTarget[] = [];
    for (const target of [document, window]) {
      const { addEventListener } = target;
      const count: typeof addEventListener = (name, listener, options) => {
        added.push(target);
        const { signal } = options as { signal: AbortSignal };
        signal.addEventListener('abort', () => removed.push(target));
        addEventListener.call(target, name, listener, options);
      };
      target.addEventListener = count;
    }
    vi.stubGlobal('addEventListener', window.addEventListener);
    const site = await serve();
    const events = site.connect();
    await reaches(events, 'open');
    events.close();
    expect(added).toHaveLength(6);
    expect(removed).toHaveLength(6);
  });
});
