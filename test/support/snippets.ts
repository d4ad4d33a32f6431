import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** A block of code in a page. */
export interface Snippet {
  file: string;
  /** Of its first line of code. */
  line: number;
  /** What a comment before it says: `<!-- test: name -->`. */
  name: string | undefined;
  /** What a comment before it declares, since the page does not show it: `<!-- given … -->`. */
  given: string;
  language: string;
  code: string;
}

const BLOCK = /(?:<!-- test: (.*) -->\n)?(?:<!-- given\n([\s\S]*?)\n-->\n)?```(\w*)[^\n]*\n([\s\S]*?)^```$/gm;

/** Every block of code in a page. */
export function snippets(file: string): Snippet[] {
  const text = readFileSync(root + file, 'utf8');
  return [...text.matchAll(BLOCK)].map(match => {
    const [block, name, given = '', language = '', code = ''] = match;
    const start = match.index + block.lastIndexOf(code);
    return { file, line: text.slice(0, start).split('\n').length, name, given, language, code };
  });
}

/** The code of the block of this name. */
export function snippet(file: string, name: string): string {
  const found = snippets(file).find(block => block.name === name);
  if (found === undefined) throw new Error(`${file} has no block named ${name}`);
  return found.code;
}
