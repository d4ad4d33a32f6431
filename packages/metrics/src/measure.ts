import type { Observer } from '@tidings/core';
import type { Labels, Recorder } from './distributions.ts';
import type { LabelOptions } from './label-options.ts';
import type { TallyName } from './tallies.ts';

/** The destination of measurements. */
export interface Sink {
  readonly record: Recorder;
  /** Adds one to a counter. */
  count(name: TallyName, labels: Labels): void;
}

/** An observer that measures what `hub.stats()` does not have: distributions, and counts by channel and client. */
export function measure({ record, count }: Sink, { channel, client }: LabelOptions): Observer {
  const ms = (name: Parameters<Recorder>[0], value: number | undefined, labels?: Labels) => {
    if (value !== undefined) record(name, value / 1_000, labels);
  };
  const countClient = (name: TallyName, id: string | undefined) => {
    const label = id === undefined ? undefined : client?.(id);
    if (label !== undefined) count(name, { client: label });
  };
  return {
    headersSent: (_, __, after) => ms('headersAfter', after),
    caughtUp(_, { outcome, events, bytes, duration }) {
      const labels = { outcome };
      record('replayEvents', events, labels);
      record('replayBytes', bytes, labels);
      ms('replayDuration', duration, labels);
    },
    closed(_, reason, summary) {
      ms('streamDuration', summary.duration, { reason });
      ms('firstEventAfter', summary.firstEventAfter);
      record('streamEvents', summary.events);
      record('streamBytes', summary.bytes);
      record('maxBufferedBytes', summary.maxBufferedBytes);
    },
    held: duration => ms('hold', duration),
    round: duration => ms('round', duration),
    authorizeCalled: (_, { outcome, ms: duration }) => ms('authorizeCall', duration, { outcome }),
    brokerCalled: ({ call, ms: duration }) => ms('brokerCall', duration, { call }),
    ...(channel && {
      published(name) {
        const label = channel(name);
        if (label !== undefined) count('publishedByChannel', { channel: label });
      },
      reset(_, reason, names) {
        for (const label of new Set(names.map(channel))) {
          if (label !== undefined) count('resetsByChannel', { channel: label, reason });
        }
      },
    }),
    ...(client && {
      opened: stream => countClient('streamsByClient', stream.client),
      lagging: stream => countClient('laggedByClient', stream.client),
    }),
  };
}
