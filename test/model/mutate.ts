import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exploreWith, withWorker } from './explore.ts';
import { knownCourses } from './known.ts';

/*
 * Breaks one rule of the engine after the other, and reports whether the model finds that:
 *
 *   npm run test:mutations                    all rules
 *   npm run test:mutations -- tombstone       those whose file or name matches
 *
 * SEED and RUNS choose the courses of each variant, see engine.test.ts; the known courses are run before. A rule that is
 * not found is no rule, or has a test of its own, or the model lacks a move.
 */
const { SEED = '3', RUNS = '2500' } = process.env;
const SOURCES = fileURLToPath(new URL('../../packages/core/src/', import.meta.url));
const MUTATIONS = new URL('./mutations/', import.meta.url);

interface Mutation {
  readonly file: string;
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** Blocks of "file: rule", lines that begin with "- ", and lines that begin with "+ " in their place. */
function parse(block: string): Mutation {
  const [title = '', ...lines] = block.split('\n');
  const [file = '', rule = ''] = title.split(': ');
  const textOf = (sign: string) => {
    return lines.flatMap(line => (line.startsWith(sign) ? [line.slice(2)] : [])).join('\n');
  };
  return { file, rule, from: textOf('-'), to: textOf('+') };
}

function all(): Mutation[] {
  const texts = readdirSync(MUTATIONS).map(name => readFileSync(new URL(name, MUTATIONS), 'utf8'));
  return texts.flatMap(text => text.trim().split('\n\n').map(parse));
}

/** Where the courses fail first; undefined if none does. */
async function find(mutation: Mutation, folder: string): Promise<string | undefined> {
  const { file, rule, from, to } = mutation;
  const source = readFileSync(join(SOURCES, file), 'utf8');
  if (source.split(from).length !== 2) throw new Error(`${file}: ${rule}: not there once`);
  cpSync(SOURCES, folder, { recursive: true });
  writeFileSync(
    join(folder, file),
    source.replace(from, () => to),
  );
  return withWorker(folder, async worker => {
    const known = knownCourses().map(({ course }) => course);
    const common = {
      seed: Number(SEED),
      store: undefined,
      minutes: undefined,
      threads: 1,
      isThorough: false,
    };
    for (const nodes of [1, 0, 2]) {
      const courses = Number(RUNS);
      const exploration = { ...common, nodes, courses, ...(nodes === 1 && { known }) };
      const { failures, courses: count } = await exploreWith(worker, exploration);
      for (const [kind] of failures) {
        return `${nodes === 1 && count <= known.length ? 'known' : `${nodes} nodes`}, course ${count}: ${kind.slice(0, 80)}`;
      }
    }
    return undefined;
  });
}

const [word = ''] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'tidings-mutation-'));
const missed: string[] = [];
const mutations = all().filter(({ file, rule }) => new RegExp(word).test(`${file}: ${rule}`));
try {
  for (const mutation of mutations) {
    const found = await find(mutation, folder);
    const name = `${mutation.file}: ${mutation.rule}`;
    if (found === undefined) missed.push(name);
    console.log(`${found === undefined ? 'MISSED' : 'found '} ${name}${found ? ` (${found})` : ''}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${mutations.length - missed.length} of ${mutations.length} found`);
