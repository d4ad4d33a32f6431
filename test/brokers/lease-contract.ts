import type { Broker, LeaseChange } from '@tidings/core';
import { describe, expect, it } from 'vitest';
import type { StartedBroker } from './recorder.ts';

const TTL = 60_000;

function changer(broker: Broker) {
  if (broker.lease === undefined) throw new Error('the broker has no lease');
  const lease = broker.lease.bind(broker);
  return async (owner: string, change: Partial<LeaseChange>, set = 'here') => {
    const { came, left } = await lease(set, { owner, hold: [], release: [], ttl: TTL, ...change });
    return { came: came.sort(), left: left.sort() };
  };
}

const NOTHING = { came: [], left: [] };

/** Declares the tests of `lease`. A broker without it does not call this. */
export function leaseContract(two: () => Promise<[StartedBroker, StartedBroker]>): void {
  describe('lease', () => {
    async function changers() {
      const [a, b] = await two();
      return [changer(a.broker), changer(b.broker)] as const;
    }

    it('returns the first holder of a key, and the last', async () => {
      const [a, b] = await changers();
      expect(await a('a', { hold: ['ann', 'bob'] })).toEqual({ came: ['ann', 'bob'], left: [] });
      expect(await b('b', { hold: ['bob', 'eve'] })).toEqual({ came: ['eve'], left: [] });
      expect(await a('a', { release: ['bob', 'ann'] })).toEqual({ came: [], left: ['ann'] });
      expect(await b('b', { release: ['bob'], hold: ['ann'] })).toEqual({ came: ['ann'], left: ['bob'] });
    });

    it('returns no key that an owner already holds, or releases without holding it', async () => {
      const [a, b] = await changers();
      await a('a', { hold: ['ann'] });
      expect(await a('a', { hold: ['ann'] })).toEqual(NOTHING);
      expect(await b('b', { release: ['ann', 'eve'] })).toEqual(NOTHING);
      expect(await a('a', { release: ['ann'] })).toEqual({ came: [], left: ['ann'] });
      expect(await a('a', { release: ['ann'] })).toEqual(NOTHING);
    });

    it('releases the keys of an expired owner', async () => {
      const [a, b] = await changers();
      await a('a', { hold: ['ann', 'bob', '\0a'], ttl: 1 });
      // It may expire before this call, or after it.
      let { left } = await b('b', { hold: ['bob'] });
      while (left.length === 0) {
        await new Promise(resolve => setTimeout(resolve, 1));
        ({ left } = await b('b', {}));
      }
      expect(left).toEqual(['\0a', 'ann']);
      expect(await b('b', { release: ['bob'] })).toEqual({ came: [], left: ['bob'] });
    });

    it('returns no key that is released and held by the same call', async () => {
      const [a] = await changers();
      await a('a', { hold: ['ann', 'bob'], ttl: 1 });
      await new Promise(resolve => setTimeout(resolve, 5));
      expect(await a('a', { hold: ['ann'] })).toEqual({ came: [], left: ['bob'] });
    });

    it('renews the lease with each call', async () => {
      const [a, b] = await changers();
      await a('a', { hold: ['ann'], ttl: 1 });
      await a('a', { hold: ['ann'] });
      await new Promise(resolve => setTimeout(resolve, 5));
      expect(await b('b', {})).toEqual(NOTHING);
    });

    it('keeps sets apart, and accepts any key and many keys', async () => {
      const [a, b] = await changers();
      const many = Array.from({ length: 1_000 }, (_, index) => `client ${index}`);
      const keys = ['', ':', 'ä 🙂', '\x01', "'", ...many].sort();
      expect(await a('a', { hold: keys })).toEqual({ came: keys, left: [] });
      expect(await b('b', { hold: ['ä 🙂'] }, 'other {set}')).toEqual({ came: ['ä 🙂'], left: [] });
      expect(await a('a', { release: keys })).toEqual({ came: [], left: keys });
    });
  });
}
