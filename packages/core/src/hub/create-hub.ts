import type { AnyChannels, RegisteredChannels } from '../protocol/channel-events.ts';
import type { Hub } from './hub.ts';
import { LocalHub } from './local-hub.ts';
import { type HubOptions, readHubOptions } from './options/options.ts';

/**
 * Makes a hub. It does nothing until its first stream: no timer, no randomness.
 *
 * @typeParam Channels what is published where: see {@link AnyChannels}. Checks `publish`; a browser may import it as
 *   a type.
 * @typeParam Data the type of `stream.data`, as passed to `res.sse({ data })`.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function createHub<Channels = RegisteredChannels, Data = unknown>(
  options: HubOptions<Data> = {},
): Hub<Channels, Data> {
  return new LocalHub(readHubOptions(options as HubOptions)) as Hub<AnyChannels> as Hub<Channels, Data>;
}
