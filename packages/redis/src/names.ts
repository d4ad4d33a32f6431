/** Names of what a hub has in Redis. All of them are in one slot of a cluster. */
export interface Names {
  /** The hash; the scripts make the names of the other keys from it. */
  readonly hub: string;
  /** Pub/Sub: what goes to this node alone. */
  readonly node: string;
  /** Pub/Sub: what goes to all nodes. */
  readonly notes: string;
  /** Pub/Sub: what comes to a channel. */
  on(channel: string): string;
  /** The channel of a name that `on` made. */
  channelOf(name: string): string;
}

export function createNames(prefix: string, node: string): Names {
  const root = `{${prefix}}:`;
  const on = `${root}on:`;
  return {
    hub: `${root}hub`,
    node: `${root}node:${node}`,
    notes: `${root}notes`,
    on: channel => on + channel,
    channelOf: name => name.slice(on.length),
  };
}
