import type { AnyChannels, RegisteredChannels } from '../protocol/channel-events.ts';
import type { Hub } from './hub.ts';
import { LocalHub } from './local-hub.ts';
import { type HubOptions, readHubOptions } from './options/options.ts';

/**
 * Creates a hub. Until its first stream, it creates no timer and no random value.
 *
 * @typeParam Channels the events of each channel and their data: see {@link AnyChannels}. Checks `publish`. A page can
 *   import it as a type.
 * @typeParam Data the type of `stream.data`, as passed to `res.sse({ data })`.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function createHub<Channels = RegisteredChannels, Data = unknown>(
  options: HubOptions<Data> = {},
): Hub<Channels, Data> {
  return new LocalHub(readHubOptions(options as HubOptions)) as Hub<AnyChannels> as Hub<Channels, Data>;
}
