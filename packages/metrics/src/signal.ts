import type { HubStats } from '@tidings/core';

/** One value, and the label that distinguishes it from the other values of its metric. */
type Reading = readonly [value: number, labels?: Readonly<Record<string, string>>];

/** A metric that is read from `hub.stats()`. */
export interface Signal {
  /** As Prometheus names it. */
  readonly name: string;
  /** As OpenTelemetry names it. */
  readonly otelName: string;
  readonly type: 'gauge' | 'counter';
  /** UCUM, as OpenTelemetry writes it. */
  readonly unit: string;
  readonly help: string;
  readonly read: (stats: HubStats) => readonly Reading[];
}

type Read = (stats: HubStats) => number | undefined | Readonly<Record<string, number | undefined>>;

/** @param label the name of the label, if `read` returns several values. */
export function signal(
  type: Signal['type'],
  name: string,
  otelName: string,
  unit: string,
  help: string,
  read: Read,
  label = 'reason',
): Signal {
  return {
    name: `tidings_${name}`,
    otelName: `tidings.${otelName}`,
    type,
    unit,
    help,
    read(stats) {
      const value = read(stats);
      if (value === undefined) return [];
      if (typeof value === 'number') return [[value]];
      return Object.entries(value).map(([key, count = 0]) => [count, { [label]: key }] as const);
    },
  };
}
