import type { LeaseChange } from '../../log/broker/broker.ts';

/** The changes of a call for all processes together. See `lease` of {@link Broker}. */
export interface LeaseResult {
  readonly came: readonly string[];
  readonly left: readonly string[];
}

/** Changes and renews the keys of this hub. See `lease` of {@link Broker}. */
export type Lease = (change: LeaseChange) => Promise<LeaseResult>;

/** The leases of a hub without a broker, which is the only owner. */
export function createLocalLease(): Lease {
  const held = new Set<string>();
  return async ({ hold, release }) => {
    const left = release.filter(key => held.delete(key));
    const came = hold.filter(key => !held.has(key));
    for (const key of came) held.add(key);
    return { came, left };
  };
}

/** Maximum number of keys in one call. */
const MAX_KEYS = 1_000;

/** Removes up to {@link MAX_KEYS} keys from a set, and returns them. */
export function takeKeys(keys: Set<string>): string[] {
  const taken: string[] = [];
  for (const key of keys) {
    if (taken.length === MAX_KEYS) break;
    taken.push(key);
    keys.delete(key);
  }
  return taken;
}
