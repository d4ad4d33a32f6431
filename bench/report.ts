import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { goals } from './goals.ts';
import type { Measurement } from './measurement.ts';
import type { Results } from './results.ts';
import { REFERENCE, subjects } from './subjects.ts';

/** Everything that was measured, as Markdown. */
export function report(measurements: readonly Measurement[], results: Results, rounds: number): string {
  const parts = [machine(rounds), goalTable(results), ...measurements.map(each => tablesOf(each, results))];
  return parts.filter(part => part !== '').join('\n\n');
}

function machine(rounds: number): string {
  const [cpu] = os.cpus();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  const kernel = execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim();
  const present = subjects.filter(({ missing }) => missing?.() === undefined);
  const versions = new Set(present.flatMap(({ version }) => version().split(', ')));
  const absent = subjects.filter(subject => !present.includes(subject));
  const day = new Date().toISOString().slice(0, 10);
  return [
    `${day}. ${rounds === 1 ? 'One round' : `${rounds} rounds`}.\n`,
    `${os.availableParallelism()} × ${cpu?.model.trim()}, ${memory} GB, ${kernel}, Node ${process.versions.node}.`,
    `Measured: ${[...versions].join(', ')}.`,
    ...absent.map(({ title, missing }) => `Not measured: ${title}; ${missing?.()}.`),
  ].join('\n');
}

function goalTable(results: Results): string {
  const lines = goals.flatMap(({ text, table, column, rows, per, most, unit = '×' }) => {
    const figures = rows.flatMap(row => {
      const figure = results.median(table, row, column);
      const base = per === undefined ? 1 : results.median(per.table ?? table, per.row?.(row) ?? row, column);
      if (figure === undefined || base === undefined) return [];
      const value = figure / base;
      const shown = format(value, value < 10 ? 2 : 0);
      return `${row.replace('tidings-', '')} ${value > most ? `**${shown}**` : shown}`;
    });
    return figures.length === 0
      ? []
      : [[text, `≤ ${format(most, 2).replace(/\.?0+$/, '')} ${unit}`, figures.join(', ')]];
  });
  if (lines.length === 0) return '';
  return `### Goals\n\n${markdown(['', 'goal', 'measured; bold: missed'], lines)}`;
}

function tablesOf(measurement: Measurement, results: Results): string {
  const { name, about, rows } = measurement;
  const reference = (rows.find(row => row.name === REFERENCE) ?? rows[0])?.name ?? '';
  const failed = rows.flatMap(row => {
    const error = results.error(name, row.name);
    return error === undefined ? [] : `**${row.title} failed: ${error}**`;
  });
  const tables = [...results.tables(name)].map(table => {
    const columns = measurement.columns.filter(column =>
      rows.some(row => results.median(table, row.name, column.name) !== undefined),
    );
    const heads = columns.flatMap(({ name, title = name, isCompared }) => {
      return isCompared ? [title, 'Tidings ÷ it'] : title;
    });
    const lines = rows.flatMap(row => {
      if (columns.every(column => results.median(table, row.name, column.name) === undefined)) return [];
      const cells = columns.flatMap(({ name, digits = 2, isCompared = false, isPart = false }) => {
        const median = results.median(table, row.name, name);
        const compared = results.median(table, reference, name);
        const spread = isPart ? undefined : results.spread(table, row.name, name);
        const range = spread?.map(figure => format(figure, digits)).join('–');
        const cell =
          median === undefined ? '' : `${format(median, digits)}${range === undefined ? '' : ` (${range})`}`;
        if (!isCompared) return cell;
        return [cell, median && compared !== undefined ? format(compared / median, 2) : ''];
      });
      return [[row.title, ...cells]];
    });
    return `### ${table}\n\n${about}\n\n${markdown(['', ...heads], lines)}`;
  });
  return [...tables, ...failed].join('\n\n');
}

function markdown(heads: readonly string[], lines: readonly (readonly string[])[]): string {
  const rule = heads.map((_head, index) => (index === 0 ? '---' : '---:'));
  return [heads, rule, ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

function format(figure: number, digits: number): string {
  return figure.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
