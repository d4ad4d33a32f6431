import type { Hub } from './hub.ts';
import type { AnyChannels } from './hub-channel.ts';
import { LocalHub } from './local-hub.ts';
import { type HubOptions, readHubOptions } from './options.ts';

/**
 * Makes a hub. It does nothing until its first stream: no timer, no randomness.
 *
 * @typeParam Channels what is published where: see {@link AnyChannels}. Checks `publish`; a browser may import it as
 *   a type.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function createHub<Channels = AnyChannels>(options: HubOptions = {}): Hub<Channels> {
  return new LocalHub(readHubOptions(options)) as Hub<AnyChannels> as Hub<Channels>;
}
