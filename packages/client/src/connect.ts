import type { EventsOf } from '@tidings/core/client';
import { Client } from './client.ts';
import type { AnyChannels, Events, TextEvents } from './events.ts';
import type { ConnectOptions } from './options.ts';
import { page } from './page.ts';

/** The events of several channels in one map. */
type MapOf<Channels> = EventsOf<Channels>;

/** Requires the option `text` if the data of an event is text. */
type OptionsFor<Text extends string> = [Text] extends [never]
  ? [options?: ConnectOptions]
  : [options: ConnectOptions & { text: readonly Text[] }];

/**
 * Connects to an event stream, reconnects when the connection ends, and resumes after the last event.
 *
 * @param url relative to the page, or absolute.
 * @param options headers, retries, position. See {@link ConnectOptions}.
 * @typeParam Channels the map of `createHub<Channels>()`, imported from the server as a type.
 * @throws {TypeError} the URL is invalid.
 * @example
 * ```ts
 * const events = connect<Channels>('/events', { headers: async () => ({ authorization: await token() }) });
 * events.on('price', event => show(event.data));
 * ```
 */
export function connect<Channels = AnyChannels>(
  url: string | URL,
  ...[options = {}]: OptionsFor<TextEvents<MapOf<Channels>>>
): Events<MapOf<Channels>> {
  const { href } = new URL(url, page.document?.baseURI ?? page.location?.href);
  return new Client(href, options) as unknown as Events<MapOf<Channels>>;
}
