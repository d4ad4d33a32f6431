import { TidingsError } from '../../base/errors.ts';
import type { Broker } from '../../log/broker/broker.ts';
import type { BrokerSync } from '../../log/broker/broker-sync.ts';
import type { BrokerCalls } from '../broker-calls.ts';
import type { HubSettings } from '../options/options.ts';
import { createLocalLease, type Lease } from './leases.ts';
import { Presence, type PresenceHub } from './presence.ts';

/** Creates the presence of a hub. Undefined without the option `presence`. */
export function createPresence(
  { presence, broker }: HubSettings,
  sync: BrokerSync | undefined,
  hub: Omit<PresenceHub, 'lease'>,
): Presence | undefined {
  if (presence === undefined) return undefined;
  const { channel } = presence;
  const lease =
    sync && broker?.lease ? brokerLease(channel, sync, broker.lease.bind(broker)) : createLocalLease();
  return new Presence({ ...hub, lease }, presence);
}

function brokerLease(set: string, sync: BrokerSync, lease: Required<Broker>['lease']): Lease {
  return async change => {
    await sync.start();
    return lease(set, change);
  };
}

/** The number of clients of all processes that have a stream. Without a broker, this process is the only one. */
export async function countClients(
  calls: BrokerCalls,
  presence: Presence | undefined,
  clients: { readonly size: number },
  isShared: boolean,
): Promise<number> {
  if (presence !== undefined) return calls.withDeadline(presence.count());
  if (!isShared) return clients.size;
  throw new TidingsError(
    'invalid-option',
    'clients.count() needs the option `presence` to count the clients of other processes',
  );
}
