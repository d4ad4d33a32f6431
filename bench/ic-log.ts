import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A place of the code that has an inline cache. */
export interface Site {
  /** File, line and column of the source. */
  readonly place: string;
  /** The kind of the inline cache, and the name of the property. */
  readonly access: string;
  readonly state: 'monomorphic' | 'polymorphic' | 'megamorphic';
  /** How many it has seen. */
  readonly shapes: number;
  /** How often V8 had to look the property up again: a hit of a megamorphic cache is not counted. */
  readonly misses: number;
  /** Of those, after the warm-up. */
  readonly missesWhenWarm: number;
}

/** As the log has them. The others are before the first access. */
const STATES: Record<string, Site['state']> = {
  '1': 'monomorphic',
  '^': 'monomorphic',
  P: 'polymorphic',
  N: 'megamorphic',
  D: 'megamorphic',
  G: 'megamorphic',
};

interface Code {
  readonly start: number;
  readonly end: number;
  /** The URL of its script. */
  readonly script: string;
}

/** Where each piece of code is. V8 moves code, and puts new code where other code was. */
class CodeMap {
  readonly #byPage = new Map<number, Code[]>();
  readonly #byStart = new Map<number, Code>();

  add(code: Code): void {
    this.#byStart.set(code.start, code);
    for (let page = pageOf(code.start); page <= pageOf(code.end); page++) {
      const others = this.#byPage
        .get(page)
        ?.filter(other => other.end <= code.start || other.start >= code.end);
      this.#byPage.set(page, [...(others ?? []), code]);
    }
  }

  move(from: number, to: number): void {
    const code = this.#byStart.get(from);
    if (code !== undefined) this.add({ ...code, start: to, end: to + code.end - from });
  }

  at(address: number): Code | undefined {
    return this.#byPage.get(pageOf(address))?.find(({ start, end }) => start <= address && address < end);
  }
}

function pageOf(address: number): number {
  return Math.floor(address / 4096);
}

/**
 * Reads the log of V8 with `--log-ic --log-code`.
 *
 * @param warmAt when the warm-up ended, in µs since the process started.
 */
export function readInlineCaches(log: string, warmAt: number): Site[] {
  const codes = new CodeMap();
  const scripts = new Set<string>();
  const sites = new Map<string, Site & { maps: Set<string> }>();
  for (const line of readFileSync(log, 'latin1').split('\n')) {
    const [kind = '', ...fields] = line.split(',');
    if (kind === 'code-creation') {
      const [, , , start, size, name = ''] = fields;
      const [, script] = /(file:\S+|node:\S+):\d+:\d+$/.exec(name) ?? [];
      const at = Number(start);
      if (script === undefined) continue;
      codes.add({ start: at, end: at + Number(size), script });
      scripts.add(script);
    } else if (kind === 'code-move') {
      codes.move(Number(fields[0]), Number(fields[1]));
    } else if (kind.endsWith('IC')) {
      const [pc, time, row, column, , to = '', map = '', name = ''] = fields;
      const state = STATES[to];
      const code = codes.at(Number(pc));
      if (state === undefined || code === undefined) continue;
      const key = [code.script, row, column, kind, name].join();
      const site = sites.get(key);
      const maps = (site?.maps ?? new Set()).add(map);
      sites.set(key, {
        place:
          site?.place ??
          placeOf(
            actualPosition({ script: code.script, row: Number(row), column: Number(column) }, name, scripts),
          ),
        access: `${kind.replace('IC', '')} ${name}`,
        state,
        maps,
        shapes: maps.size,
        misses: (site?.misses ?? 0) + 1,
        missesWhenWarm: (site?.missesWhenWarm ?? 0) + (Number(time) > warmAt ? 1 : 0),
      });
    }
  }
  return [...sites.values()];
}

/** A place in a script: row and column from 1. */
interface Position {
  readonly script: string;
  readonly row: number;
  readonly column: number;
}

/**
 * Where the name of a property is. In optimized code, a function may be inlined into one of another script: the log then
 * has the offset in the inner script, as row and column of the outer script.
 */
function actualPosition(outer: Position, name: string, scripts: Iterable<string>): Position {
  const lines = linesOf(outer.script);
  if (lines[outer.row - 1]?.startsWith(name, outer.column - 1)) return outer;
  const offset = lines.slice(0, outer.row - 1).join('\n').length + outer.column;
  for (const script of scripts) {
    const before = linesOf(script).join('\n').slice(0, offset).split('\n');
    const position = { script, row: before.length, column: (before.at(-1) ?? '').length + 1 };
    if (linesOf(script)[position.row - 1]?.startsWith(name, position.column - 1)) return position;
  }
  return outer;
}

const texts = new Map<string, readonly string[]>();

/** Empty for a script of Node.js. */
function linesOf(script: string): readonly string[] {
  const isFile = script.startsWith('file:');
  const known = texts.get(script) ?? (isFile ? readFileSync(fileURLToPath(script), 'utf8').split('\n') : []);
  texts.set(script, known);
  return known;
}

const sourceMaps = new Map<string, SourceMap | undefined>();

function placeOf({ script, row, column }: Position): string {
  if (!script.startsWith('file:')) return `${script}:${row}:${column}`;
  const file = fileURLToPath(script);
  if (!sourceMaps.has(file)) sourceMaps.set(file, readSourceMap(file));
  const entry = sourceMaps.get(file)?.findEntry(row - 1, column - 1);
  if (entry === undefined || !('originalSource' in entry)) return `${file}:${row}:${column}`;
  const { originalSource, originalLine, originalColumn } = entry;
  return `${resolve(dirname(file), originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
}

function readSourceMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8')));
  } catch {
    // Node.js has none, and frameworks neither.
    return undefined;
  }
}
