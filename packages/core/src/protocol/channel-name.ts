import { invalid } from '../base/option-checks.ts';

/** A channel, or the name of one. */
export type ChannelName = string | { readonly name: string };

/** @throws {TidingsError} `invalid-option`: one of them has no name, or one that cannot be used. */
export function namesOf(channels: ChannelName | readonly ChannelName[]): string[] {
  return Array.isArray(channels) ? channels.map(nameOf) : [nameOf(channels as ChannelName)];
}

/** @throws {TidingsError} `invalid-option`: it has no name, or one that cannot be used. */
export function nameOf(channel: ChannelName): string {
  const name: unknown = typeof channel === 'string' ? channel : channel?.name;
  // A function has a name, too, and is no channel.
  if (typeof name !== 'string' || name === '' || typeof channel === 'function') {
    throw invalid('a channel', 'a name, or an object with a name', channel);
  }
  if (!name.isWellFormed()) throw invalid('a channel', 'a name without lone surrogates', name);
  // Such names are the hub's own.
  if (name.startsWith('\0')) throw invalid('a channel', 'a name that does not begin with NUL', name);
  return name;
}
