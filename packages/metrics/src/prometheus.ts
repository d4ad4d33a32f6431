import type { Hub, HubStats } from '@tidings/core';
import { DISTRIBUTIONS, type DistributionName } from './distributions.ts';
import type { LabelOptions } from './label-options.ts';
import { measure } from './measure.ts';
import { Histogram } from './prometheus-histogram.ts';
import { Metric, type Sample } from './prometheus-metric.ts';
import { SIGNALS } from './signals.ts';
import { TALLIES, type TallyName } from './tallies.ts';

/** A Registry of prom-client. */
export interface RegistryLike {
  registerMetric(metric: never): void;
  removeSingleMetric(name: string): void;
}

/** The options of `instrument()` for Prometheus. */
export interface PrometheusOptions extends LabelOptions {
  /** The registry of prom-client in which the metrics are registered: `register`, or a `new Registry()`. */
  registry: RegistryLike;
}

/** Registers all metrics of a hub. Returns a function that removes them again. */
export function instrumentPrometheus(hub: Hub, { registry, ...labels }: PrometheusOptions): () => void {
  const stats = readOncePerScrape(hub);
  const metrics: Metric[] = SIGNALS.map(({ name, help, type, read }) => {
    return new Metric(name, help, type, () =>
      read(stats()).map(([value, own = {}]) => ({ value, labels: own })),
    );
  });
  const histograms = new Map<DistributionName, Histogram>();
  for (const [key, { name, help, buckets }] of Object.entries(DISTRIBUTIONS)) {
    const histogram = new Histogram(buckets);
    histograms.set(key as DistributionName, histogram);
    metrics.push(
      new Metric(
        name,
        help,
        'histogram',
        () => histogram.samples(name),
        () => histogram.reset(),
      ),
    );
  }
  const tallies = new Map<TallyName, Map<string, Sample>>();
  for (const [key, { name, help, needs }] of Object.entries(TALLIES)) {
    if (labels[needs] === undefined) continue;
    const counts = new Map<string, Sample>();
    tallies.set(key as TallyName, counts);
    metrics.push(
      new Metric(
        name,
        help,
        'counter',
        () => [...counts.values()],
        () => counts.clear(),
      ),
    );
  }
  const remove = register(registry, metrics);
  const stop = hub.observe(
    measure(
      {
        record: (name, value, own) => histograms.get(name)?.record(value, own),
        count: (name, own) => add(tallies.get(name), own),
      },
      labels,
    ),
  );
  return () => {
    stop();
    remove();
  };
}

/** Registers all metrics, or none if one fails. Returns a function that removes them. */
function register(registry: RegistryLike, metrics: readonly Metric[]): () => void {
  const registered: string[] = [];
  const remove = () => {
    for (const name of registered.splice(0)) registry.removeSingleMetric(name);
  };
  try {
    for (const metric of metrics) {
      registry.registerMetric(metric as never);
      registered.push(metric.name);
    }
  } catch (cause) {
    remove();
    throw new Error(
      'the registry already has a metric of this name. A registry takes the metrics of one hub: pass a new Registry() ' +
        `for another hub, or call stop() of the earlier instrumentation first. ${(cause as Error).message}`,
      { cause },
    );
  }
  return remove;
}

function add(counts: Map<string, Sample> | undefined, labels: Sample['labels']): void {
  const key = JSON.stringify(labels);
  const sample = counts?.get(key) ?? { value: 0, labels };
  counts?.set(key, { ...sample, value: sample.value + 1 });
}

/**
 * Caches the stats for one tick: a registry reads all metrics in the same tick, and the stats of many streams take
 * time.
 */
function readOncePerScrape(hub: Hub): () => HubStats {
  let stats: HubStats | undefined;
  return () => {
    if (stats === undefined) {
      stats = hub.stats();
      queueMicrotask(() => {
        stats = undefined;
      });
    }
    return stats;
  };
}
