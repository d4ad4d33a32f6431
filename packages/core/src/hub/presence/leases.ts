import type { LeaseChange } from '../../log/broker/broker.ts';

/** What a call has changed for all processes together. */
export interface LeaseResult {
  readonly came: readonly string[];
  readonly left: readonly string[];
}

/** Changes and renews what this hub holds: see `lease` of a broker. */
export type Lease = (change: LeaseChange) => Promise<LeaseResult>;

/** The leases of a hub without a broker: nobody else holds anything. */
export function createLocalLease(): Lease {
  const held = new Set<string>();
  return async ({ hold, release }) => {
    const left = release.filter(key => held.delete(key));
    const came = hold.filter(key => !held.has(key));
    for (const key of came) held.add(key);
    return { came, left };
  };
}

/** Keys of one call. */
const MAX_KEYS = 1_000;

/** Takes up to {@link MAX_KEYS} keys out of a set. */
export function takeKeys(keys: Set<string>): string[] {
  const taken: string[] = [];
  for (const key of keys) {
    if (taken.length === MAX_KEYS) break;
    taken.push(key);
    keys.delete(key);
  }
  return taken;
}
