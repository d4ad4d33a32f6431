import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { collect, dataOf, serve, until } from './harness.ts';

/** As `sessionStorage` is. */
function createStorage() {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  };
}

describe('a stored position', () => {
  it.each([
    ['a Storage', () => createStorage()],
    [
      'anything with `get` and `set`',
      () => {
        const items = new Map<string, string>();
        const set = async (key: string, id: string) => void items.set(key, id);
        return { items, get: async (key: string) => items.get(key), set };
      },
    ],
  ])('in %s is where a new client resumes', async (_, create) => {
    const site = await serve();
    const storage = create();
    const before = site.connect({ storage });
    await until(() => before.lastEventId !== '');
    await until(() => storage.items.size === 1);
    before.close();
    await site.hub.publish('news', 'meanwhile');
    const after = site.connect({ storage });
    const messages = collect(after);
    await until(() => messages.length === 1);
    expect(dataOf(messages)).toEqual(['meanwhile']);
    expect([...storage.items]).toEqual([[`tidings:${site.url}`, messages[0]?.id]]);
  });

  it('is ignored if `lastEventId` is passed', async () => {
    const site = await serve();
    const storage = createStorage();
    storage.setItem(`tidings:${site.url}`, 'old');
    const events = site.connect({ storage, lastEventId: await site.hub.position() });
    await site.has(1);
    expect(site.requests[0]?.headers['last-event-id']).not.toBe('old');
    expect(events.state).not.toBe('failed');
  });

  it('is optional: a storage that throws does not stop the events', async () => {
    const uncaught = vi.fn();
    process.setUncaughtExceptionCaptureCallback(uncaught);
    onTestFinished(() => process.setUncaughtExceptionCaptureCallback(null));
    const site = await serve();
    const fail = () => {
      throw new Error('full');
    };
    const events = site.connect({ storage: { getItem: fail, setItem: fail } });
    const messages = collect(events);
    await site.has(1);
    await site.hub.publish('news', 1);
    await until(() => messages.length === 1);
    expect(site.requests).toHaveLength(1);
    await until(() => uncaught.mock.calls.length > 1);
    expect(uncaught.mock.calls[0]).toMatchObject([new Error('full')]);
  });
});
