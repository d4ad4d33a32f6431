import { TidingsError } from '../../base/errors.ts';
import type { BrokerSync } from '../../log/broker-sync.ts';
import { brokerAnswer } from '../broker-answer.ts';
import type { HubSettings } from '../options.ts';
import { createLocalLease } from './leases.ts';
import { Presence, type PresenceHub } from './presence.ts';

/** The presence of a hub, if its settings ask for it. */
export function createPresence(
  { presence }: HubSettings,
  sync: BrokerSync | undefined,
  hub: Omit<PresenceHub, 'lease'>,
): Presence | undefined {
  if (presence === undefined) return undefined;
  const { channel } = presence;
  const lease = sync === undefined ? createLocalLease() : sync.lease.bind(sync, channel);
  return new Presence({ ...hub, lease }, presence);
}

/** How many clients have a stream, in all processes. Without presence and without a broker, this process is all. */
export async function countClients(
  { broker, publishTimeout }: HubSettings,
  sync: BrokerSync | undefined,
  presence: Presence | undefined,
  clients: { readonly size: number },
): Promise<number> {
  if (presence !== undefined) return brokerAnswer(publishTimeout, sync, presence.count());
  if (broker === undefined) return clients.size;
  throw new TidingsError(
    'invalid-option',
    'clients.count() needs `presence` to count those of other processes',
  );
}
