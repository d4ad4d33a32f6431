/** One line of a metric, as prom-client has it. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** The name of the line, if it is not that of the metric. */
  readonly metricName?: string;
}

/** A metric as a registry of prom-client uses it. Its own classes are not needed for that. */
export class Metric {
  /** Not readonly: for OpenMetrics, a registry takes `_total` off the names of counters. */
  name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** How prom-client adds up the metrics of the processes of a cluster. */
  readonly aggregator = 'sum';
  readonly #read: () => readonly Sample[];
  readonly #clear: () => void;

  /** @param clear forgets what was counted. Default: nothing is counted here. */
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
