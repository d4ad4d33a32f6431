/** A counter by channel or by client. It exists only if a function maps these to labels. */
export interface Tally {
  readonly name: string;
  readonly otelName: string;
  readonly unit: string;
  readonly help: string;
  /** The option that the counter needs. */
  readonly needs: 'channel' | 'client';
}

/** Counters whose labels may have many values. */
export const TALLIES = {
  publishedByChannel: {
    name: 'tidings_channel_events_published_total',
    otelName: 'tidings.channel.event.published',
    unit: '{event}',
    help: 'Events accepted from this process, by channel.',
    needs: 'channel',
  },
  resetsByChannel: {
    name: 'tidings_channel_resets_total',
    otelName: 'tidings.channel.reset.count',
    unit: '{event}',
    help: 'Reset events that name a channel, by channel and reason.',
    needs: 'channel',
  },
  streamsByClient: {
    name: 'tidings_client_streams_opened_total',
    otelName: 'tidings.client.stream.opened',
    unit: '{stream}',
    help: 'Opened streams, by client.',
    needs: 'client',
  },
  laggedByClient: {
    name: 'tidings_client_streams_lagged_total',
    otelName: 'tidings.client.stream.lagged',
    unit: '{stream}',
    help: 'How often a stream became a slow consumer, by client.',
    needs: 'client',
  },
} as const satisfies Record<string, Tally>;

export type TallyName = keyof typeof TALLIES;
