/** One line of a metric, in the format of prom-client. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** The name of the line, if it differs from that of the metric. */
  readonly metricName?: string;
}

/** The part of a metric that a registry of prom-client uses. So this package does not depend on prom-client. */
export class Metric {
  /** Not readonly: for OpenMetrics, a registry removes `_total` from the names of counters. */
  name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** How prom-client aggregates the metrics of the processes of a cluster. */
  readonly aggregator = 'sum';
  readonly #read: () => readonly Sample[];
  readonly #clear: () => void;

  /** @param clear resets the values. Default: does nothing, for values that are read from the hub. */
  constructor(
    name: string,
    help: string,
    type: Metric['type'],
    read: () => readonly Sample[],
    clear: () => void = () => {},
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.#read = read;
    this.#clear = clear;
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#read() };
  }

  reset(): void {
    this.#clear();
  }
}
