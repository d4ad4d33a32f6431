import type { Labels } from './distributions.ts';
import type { Sample } from './prometheus-metric.ts';

/** The measurements with the same labels. */
interface Series {
  readonly labels: Labels;
  /** Number of measurements in each bucket. The last item counts those above all buckets. */
  readonly counts: number[];
  sum: number;
}

const NONE: Labels = {};

/** Counts measurements in buckets, for each combination of labels. */
export class Histogram {
  readonly #buckets: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
  }

  record(value: number, labels = NONE): void {
    // The values suffice as a key: all labels come from this package, and there is at most one.
    const key = Object.values(labels).join();
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: new Array(this.#buckets.length + 1).fill(0), sum: 0 };
      this.#series.set(key, series);
    }
    let index = 0;
    while (index < this.#buckets.length && value > (this.#buckets[index] as number)) index += 1;
    series.counts[index] = (series.counts[index] as number) + 1;
    series.sum += value;
  }

  samples(name: string): Sample[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum }) => {
      let total = 0;
      const buckets = counts.map((count, index) => {
        total += count;
        const le = this.#buckets[index] ?? '+Inf';
        return { value: total, labels: { le, ...labels }, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { value: sum, labels, metricName: `${name}_sum` },
        { value: total, labels, metricName: `${name}_count` },
      ];
    });
  }

  reset(): void {
    this.#series.clear();
  }
}
