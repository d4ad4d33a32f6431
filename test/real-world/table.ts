import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

const FILE = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url));

const INTRODUCTION = `# Compatibility

The browsers, clients, proxies and runtimes that Tidings is tested with, on real sockets. The tests in
[test/real-world](../test/real-world) are run by \`npm test\`, and \`npm run compatibility\` writes this page from them.

Each row is a subject, and each column is a check. The list below a table describes the checks. ✓: works. ✗: fails. Empty:
not checked. A number refers to a note.
`;

/**
 * Writes docs/compatibility.md: a table for each suite, with a row for each subject and a column for each check. Keeps the
 * tables of suites that were not run.
 */
export default class Table implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], _errors: unknown, reason: string): void {
    if (reason === 'interrupted') return;
    const sections = writtenSections();
    const suites = modules
      .filter(({ moduleId }) => moduleId.includes('/real-world/'))
      .flatMap(({ children }) => [...children.suites()]);
    for (const suite of suites) sections.set(suite.name, sectionOf(suite));
    const sorted = [...sections].sort(([a], [b]) => a.localeCompare(b));
    writeFileSync(FILE, [INTRODUCTION, ...sorted.map(([, text]) => text)].join('\n'));
  }
}

/** The sections of the page as it is, by their headings. */
function writtenSections(): Map<string, string> {
  const [, ...sections] = readFileSync(FILE, 'utf8').split(/^(?=## )/m);
  return new Map(sections.map(text => [/^## (.*)/.exec(text)?.[1] ?? '', `${text.trimEnd()}\n`]));
}

function sectionOf(suite: TestSuite): string {
  const subjects = [...suite.children.suites()];
  const checks = unique(subjects.flatMap(testsOf).map(({ name }) => name));
  const notes: string[] = [];
  const columns = checks.map((_, index) => letterOf(index));
  const table = [
    ['', ...columns],
    ['---', ...columns.map(() => ':-:')],
    ...subjects.map(subject => rowOf(subject, checks, notes)),
  ];
  const parts = [
    `## ${suite.name}`,
    table.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n'),
    checks.map((check, index) => `- **${letterOf(index)}** ${check}`).join('\n'),
  ];
  if (notes.length > 0) parts.push(notes.map((note, index) => `${index + 1}. ${note}`).join('\n'));
  return `${parts.join('\n\n')}\n`;
}

/** @param notes is given those of the subject. Equal notes have one number. */
function rowOf(subject: TestSuite, checks: string[], notes: string[]): string[] {
  const tests = testsOf(subject);
  const own = unique(
    tests
      .flatMap(test => test.annotations())
      .filter(({ type }) => type === 'note')
      .map(({ message }) => message),
  );
  for (const note of own) if (!notes.includes(note)) notes.push(note);
  const numbers = own.map(note => notes.indexOf(note) + 1).sort((a, b) => a - b);
  const name = numbers.length > 0 ? `${subject.name} <sup>${numbers.join(', ')}</sup>` : subject.name;
  return [name, ...checks.map(check => tickOf(tests.filter(test => test.name === check)))];
}

/** Some subjects make a check several times. */
function tickOf(tests: TestCase[]): string {
  const states = tests.map(test => test.result().state);
  if (states.includes('failed')) return '✗';
  return states.includes('passed') ? '✓' : '';
}

function testsOf(subject: TestSuite): TestCase[] {
  return [...subject.children.allTests()];
}

function letterOf(index: number): string {
  return String.fromCharCode(97 + index);
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)];
}
