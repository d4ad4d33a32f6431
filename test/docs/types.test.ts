import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import ts from 'typescript';
import { afterAll, describe, expect, it } from 'vitest';
import { root, type Snippet, snippet, snippets } from '../support/snippets.ts';

/** Pages that are written by hand. */
const pages = [
  'README.md',
  ...readdirSync(`${root}packages`).map(name => `packages/${name}/README.md`),
  ...readdirSync(`${root}docs`)
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
];

const common: ts.CompilerOptions = {
  strict: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.Preserve,
  moduleDetection: ts.ModuleDetectionKind.Force,
  allowImportingTsExtensions: true,
};
const page = ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'];
/** Blocks that are checked by themselves: h3 and Elysia declare globals of Bun, and NestJS has decorators of its own. */
const FRAMEWORKS = 'ts of frameworks';
/** What a block registers would hold for all others. */
const REGISTERED = 'ts with registered channels';
const kindOf = ({ file, language, code }: Snippet) => {
  if (language === 'ts' && code.includes('interface Register')) return REGISTERED;
  return language === 'ts' && /^docs\/(frameworks|nestjs|nextjs|sveltekit)\.md$/.test(file)
    ? FRAMEWORKS
    : language;
};
/** What is in a block, by its language. */
const kinds: Record<string, ts.CompilerOptions> = {
  ts: { ...common, lib: page, types: ['node'] },
  tsx: { ...common, lib: page, types: [], jsx: ts.JsxEmit.ReactJSX },
  [REGISTERED]: { ...common, lib: page, types: ['node'] },
  [FRAMEWORKS]: { ...common, lib: page, types: ['node'], experimentalDecorators: true },
  // A page's. Its types are what TypeScript infers.
  js: { ...common, lib: page, types: [], noImplicitAny: false },
};
/** What is not a program. A test finds what is `console` or `text` by its name; the others are not run from here. */
const others = [
  'console',
  'text',
  'sh',
  'yaml',
  'html',
  'nginx',
  'haproxy',
  'apache',
  'caddyfile',
  'lighttpd',
];

describe('the code of the documentation', () => {
  // Among the tests, so that the packages are found as from any other.
  const folder = mkdtempSync(`${root}test/.snippets-`);
  // What Jest and others have as globals, they are asked for themselves, by the test that runs these.
  const isRun = ({ file, language }: Snippet) => file === 'packages/testing/README.md' && language === 'js';
  const all = pages.flatMap(snippets).filter(block => !isRun(block));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has a language that is checked', () => {
    const languages = new Set(all.map(({ language }) => language));
    expect([...languages].filter(language => !(language in kinds) && !others.includes(language))).toEqual([]);
    const unnamed = all.filter(({ language, name }) => /console|text/.test(language) && name === undefined);
    expect(unnamed.map(({ file, line }) => `${file}:${line}`)).toEqual([]);
  });

  /** Files of a site import each other. */
  const pathOf = ({ name, file, line, language }: Snippet) =>
    name?.startsWith('site ')
      ? name.replace(' ', '/')
      : `${file.replaceAll('/', '-')}-${line}.${language === 'tsx' ? 'tsx' : 'ts'}`;

  /** What the compiler says, by page and line. */
  function check(blocks: readonly Snippet[], options: ts.CompilerOptions): string[] {
    const files = new Map(blocks.map(block => [`${folder}/${pathOf(block)}`, block]));
    for (const [file, { given, code }] of files) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${given}\n${code}`);
    }
    const program = ts.createProgram([...files.keys()], options);
    // `npm run types` checks what they import.
    const found = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
    for (const name of files.keys()) {
      const source = program.getSourceFile(name);
      found.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
    }
    return found.map(({ file, start = 0, messageText }) => {
      const block = files.get(file?.fileName ?? '');
      const message = ts.flattenDiagnosticMessageText(messageText, '\n');
      if (file === undefined || block === undefined) return `${file?.fileName}: ${message}`;
      const line = file.getLineAndCharacterOfPosition(start).line - block.given.split('\n').length;
      return `${block.file}:${block.line + line}: ${message}`;
    });
  }

  it.each(Object.entries(kinds))('has no errors in its types: %s', (kind, options) => {
    const blocks = all.filter(block => kindOf(block) === kind);
    expect(check(blocks, options)).toEqual([]);
  });

  it('fits the column of the site, which has 80 columns', () => {
    const wide = all
      .filter(({ file, language }) => file.startsWith('docs/') && language in kinds)
      .flatMap(({ file, line, code }) =>
        code.split('\n').flatMap((text, index) => (text.length > 80 ? [`${file}:${line + index}`] : [])),
      );
    expect(wide).toEqual([]);
  });

  it('is JavaScript where it is marked as such', () => {
    const wrong = all
      .filter(({ language }) => language === 'js')
      .flatMap(({ file, line, code }) => {
        const options = { fileName: 'page.js', reportDiagnostics: true, compilerOptions: { allowJs: true } };
        const { diagnostics = [] } = ts.transpileModule(code, options);
        return diagnostics.map(({ messageText }) => `${file}:${line}: ${messageText}`);
      });
    expect(wrong).toEqual([]);
  });

  it('is checked for the events of each channel', () => {
    const code = snippet('docs/types.md', 'types').replace('12.3', "'much'");
    const block: Snippet = { file: 'wrong', line: 1, name: '', given: '', language: 'ts', code };
    expect(check([block], kinds.ts ?? {})).toEqual([expect.stringMatching(/^wrong:\d+: .*not assignable/)]);
  });
});
