import { invalid } from '../base/option-checks.ts';

/** A channel, or the name of one. */
export type ChannelName = string | { readonly name: string };

/** @throws {TidingsError} `invalid-option`: one of them has no name, or an invalid name. */
export function namesOf(channels: ChannelName | readonly ChannelName[]): string[] {
  return Array.isArray(channels) ? channels.map(nameOf) : [nameOf(channels as ChannelName)];
}

/** @throws {TidingsError} `invalid-option`: it has no name, or an invalid name. */
export function nameOf(channel: ChannelName): string {
  const name: unknown = typeof channel === 'string' ? channel : channel?.name;
  // A function also has a `name`, but is not a channel.
  if (typeof name !== 'string' || name === '' || typeof channel === 'function') {
    throw invalid('a channel', 'a name, or an object with a name', channel);
  }
  if (!name.isWellFormed()) throw invalid('a channel', 'a name without lone surrogates', name);
  // Reserved for the hub's own channels.
  if (name.startsWith('\0')) throw invalid('a channel', 'a name that does not begin with NUL', name);
  return name;
}
