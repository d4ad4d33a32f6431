/** Everything that was measured: figures by table, row and column, one for each round. */
export class Results {
  readonly #figures = new Map<string, number[]>();
  /** The tables of each measurement. */
  readonly #tables = new Map<string, Set<string>>();
  /** What went wrong, by measurement and row. */
  readonly #errors = new Map<string, string>();

  record(measurement: string, table: string, row: string, column: string, figure: number): void {
    const key = keyOf(table, row, column);
    const figures = [...(this.#figures.get(key) ?? []), figure];
    this.#figures.set(
      key,
      figures.sort((a, b) => a - b),
    );
    this.#tables.set(measurement, (this.#tables.get(measurement) ?? new Set()).add(table));
  }

  fail(measurement: string, row: string, error: unknown): void {
    this.#errors.set(keyOf(measurement, row), error instanceof Error ? error.message : String(error));
  }

  get hasFailures(): boolean {
    return this.#errors.size > 0;
  }

  error(measurement: string, row: string): string | undefined {
    return this.#errors.get(keyOf(measurement, row));
  }

  tables(measurement: string): Iterable<string> {
    return this.#tables.get(measurement) ?? [];
  }

  median(table: string, row: string, column: string): number | undefined {
    const figures = this.#figures.get(keyOf(table, row, column));
    if (figures === undefined) return undefined;
    const middle = (figures.length - 1) / 2;
    return ((figures[Math.floor(middle)] as number) + (figures[Math.ceil(middle)] as number)) / 2;
  }

  /** The least and the most; undefined when there is only one figure, or none. */
  spread(table: string, row: string, column: string): [least: number, most: number] | undefined {
    const figures = this.#figures.get(keyOf(table, row, column)) ?? [];
    return figures.length > 1 ? [figures[0] as number, figures.at(-1) as number] : undefined;
  }
}

function keyOf(...parts: string[]): string {
  return parts.join('\n');
}
