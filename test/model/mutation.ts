import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The sources of the engine. */
export const SOURCES = fileURLToPath(new URL('../../packages/core/src/', import.meta.url));

const folder = new URL('./mutations/', import.meta.url);

/** A rule of the engine, and how it is switched off. */
export interface Mutation {
  /** Relative to {@link SOURCES}. */
  readonly file: string;
  /** What the engine does without the rule. */
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** The mutations of the folder mutations/. */
export function readMutations(): Mutation[] {
  const texts = readdirSync(folder).map(name => readFileSync(new URL(name, folder), 'utf8'));
  return texts.flatMap(text => text.trim().split('\n\n').map(parse));
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

/**
 * Returns the source of a mutation's file without the rule.
 *
 * @throws if the text that it replaces is not there exactly once.
 */
export function applyMutation({ file, rule, from, to }: Mutation): string {
  const source = readFileSync(`${SOURCES}${file}`, 'utf8');
  const count = source.split(from).length - 1;
  if (count !== 1) throw new Error(`${file}: ${rule}: its text occurs ${count} times`);
  return source.replace(from, () => to);
}
