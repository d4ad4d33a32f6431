import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Exploration, exploreWith, withWorker } from './explore.ts';
import { knownCourses } from './known.ts';
import { applyMutation, readMutations, SOURCES } from './mutation.ts';

/*
 * Breaks one rule of the engine after the other, and reports whether the model finds that:
 *
 *   npm run test:mutations                    all rules
 *   npm run test:mutations -- tombstone       those whose file or name matches
 *
 * SEED and RUNS choose the courses of each variant, see engine.test.ts; the known courses are run before. A rule that is
 * not found is no rule, or has a test of its own, or the model lacks a move. First, the unbroken engine runs the same
 * courses: one that fails would find every mutation.
 */
const { SEED = '3', RUNS = '2500' } = process.env;

const known = knownCourses().map(({ course }) => course);
// A broken engine may do everything a hundred times.
const common = { seed: Number(SEED), store: undefined, minutes: 5, threads: 1, isThorough: false };
const courses = Number(RUNS);

const EXPLORATIONS: [name: string, exploration: Exploration][] = [
  ['known', { ...common, nodes: 1, courses: known.length, known }],
  ['1 node', { ...common, nodes: 1, courses }],
  ['in process', { ...common, nodes: 0, courses }],
  ['2 nodes', { ...common, nodes: 2, courses }],
  ['membership', { ...common, nodes: 2, courses, ofMembership: true }],
];

/** Where the courses fail first; undefined if none does. */
async function find(core: string | undefined): Promise<string | undefined> {
  return withWorker(core, async worker => {
    for (const [name, exploration] of EXPLORATIONS) {
      const { failures, courses: count } = await exploreWith(worker, exploration);
      for (const [kind] of failures) return `${name}, course ${count}: ${kind.slice(0, 80)}`;
    }
    return undefined;
  });
}

const [word = ''] = process.argv.slice(2);
const chosen = readMutations().filter(({ file, rule }) => new RegExp(word).test(`${file}: ${rule}`));
// All of them before the first one runs: a text that does not match its file must not end a long run.
const mutations = chosen.map(mutation => ({ ...mutation, source: applyMutation(mutation) }));
const failed = await find(undefined);
if (failed !== undefined) throw new Error(`the engine itself fails: ${failed}`);
const folder = mkdtempSync(join(tmpdir(), 'tidings-mutation-'));
const missed: string[] = [];
try {
  for (const mutation of mutations) {
    cpSync(SOURCES, folder, { recursive: true });
    writeFileSync(join(folder, mutation.file), mutation.source);
    const start = performance.now();
    const found = await find(folder);
    const name = `${mutation.file}: ${mutation.rule}`;
    if (found === undefined) missed.push(name);
    const seconds = Math.round((performance.now() - start) / 1_000);
    console.log(
      `${found === undefined ? 'MISSED' : 'found '} ${name} (${found ? `${found}, ` : ''}${seconds} s)`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${mutations.length - missed.length} of ${mutations.length} found`);
