// The figures of the README are those of the newest benchmark, which `pnpm bench --write` puts into bench/README.md.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { root } from './support/snippets.ts';

const readme = readFileSync(`${root}README.md`, 'utf8');
const bench = readFileSync(`${root}bench/README.md`, 'utf8');
const results = bench.slice(bench.indexOf('<!-- results -->'));

/** The cells of the rows of the first table after a text. */
function tableAfter(text: string, heading: string): string[][] {
  const [, after] = text.split(`${heading}\n`);
  const [table = ''] = /^\|.*\n(?:\|.*\n)+/m.exec(after ?? '') ?? [];
  return table.split('\n').map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  );
}

/** Figures of a table of the benchmark, by the titles of its rows. A cell begins with the median. */
function figures(heading: string, column: string, offset = 0): Map<string, string> {
  const [heads = [], ...rows] = tableAfter(results, `### ${heading}`);
  const index = heads.indexOf(column) + offset;
  return new Map(rows.map(cells => [cells[0] ?? '', cells[index]?.split(' ')[0] ?? '']));
}

const FAN_OUT = 'Fan-out, 1,000 streams, 130 B';
const peers = ['better-sse, Express', 'express-sse', "Hono's streamSSE", '@fastify/sse'];

/** The CPU time of Tidings on Express divided by that of others. Beside Hono's streamSSE, that of Tidings on Hono. */
function ratios(column: string, others: readonly string[]): (string | undefined)[] {
  const toExpress = figures(FAN_OUT, column, 1);
  const medians = figures(FAN_OUT, column);
  return others.map(name => {
    if (!name.startsWith('Hono')) return toExpress.get(name);
    return (Number(medians.get('Tidings, Hono')) / Number(medians.get(name))).toFixed(2);
  });
}

describe('the comparison in the README', () => {
  const [heads = [], , ...rows] = tableAfter(readme, '## Why Tidings');
  const cellsOf = (title: string) => rows.find(([first]) => first?.startsWith(title))?.slice(1);

  it('has the measured versions', () => {
    const [, versions = ''] = /^Measured: (.*)\.$/m.exec(results) ?? [];
    const [, , ...named] = heads;
    for (const name of named) {
      const [, library, version] = /^(?:Hono's )?(\S+) (\S+)$/.exec(name) ?? [];
      expect(versions).toContain(`${library?.replace('streamSSE', 'hono')} ${version}.`);
    }
  });

  it.each([
    ['one event', 'one per tick'],
    ['ten events', 'ten per tick'],
  ])('has the CPU time for %s', (title, column) => {
    expect(cellsOf(`CPU time of Tidings ÷ its, ${title}`)).toEqual(['', ...ratios(column, peers)]);
  });

  it('has the memory of a client that does not read', () => {
    const grown = figures('100 MB published past a client that does not read', 'RSS grows by, MB');
    const named = ['Tidings, Express', 'better-sse, node:http', ...peers.slice(1)];
    // A process may also get smaller.
    const shown = named.map(name => Math.max(0, Number(grown.get(name))).toFixed(1));
    expect(cellsOf('100 MB sent')).toEqual(shown);
  });

  it('has the ratios to a loop and to nchan, the day and the machine', () => {
    const [loop, nchan] = ['`res.write(buffer)`, Express', 'nchan (nginx, in C)'];
    const [loopOne, nchanOne] = ratios('one per tick', [loop, nchan]);
    const [loopTen, nchanTen] = ratios('ten per tick', [loop, nchan]);
    const text = readme.replaceAll(/\s+/g, ' ');
    expect(text).toContain(`(${loopOne}, and ${loopTen} with ten events)`);
    expect(text).toContain(`takes less with one event (${nchanOne}) and more with ten (${nchanTen})`);
    const [, day] = /(\d{4}-\d\d-\d\d)\./.exec(results) ?? [];
    const plain = results.replaceAll('(R)', '');
    const [, machine, node] = /^\d+ × (\w+ \w+).*,.* Node (\S+)\.$/m.exec(plain) ?? [];
    expect(text).toContain(`(${day}, Node ${node}, ${machine})`);
  });
});
