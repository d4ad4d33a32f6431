import { TidingsError } from '../base/errors.ts';
import type { BrokerSync } from '../log/broker/broker-sync.ts';
import { brokerAway } from '../log/broker/publish-queue.ts';
import { within } from './closing/deadline.ts';

/**
 * Settles as a call of the broker does.
 *
 * @throws {TidingsError} `broker`: it has failed, or has not answered in so many ms.
 */
export async function brokerAnswer<T>(
  ms: number,
  sync: BrokerSync | undefined,
  call: Promise<T>,
): Promise<T> {
  try {
    return await within(ms, call, () => brokerAway('broker', ms, sync?.health.cause));
  } catch (cause) {
    const hasCode = typeof (cause as { code?: unknown } | null)?.code === 'string';
    throw hasCode ? cause : new TidingsError('broker', 'the broker failed', { cause });
  }
}
