import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

const FILE = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url));

const INTRODUCTION = `# Compatibility

What Tidings has been run with, and what was checked, each time on real sockets. The tests in
[test/real-world](../test/real-world) are run by \`npm test\`, and write this page by \`npm run compatibility\`: a row is
what ran, and nothing else.
`;

/** Writes docs/compatibility.md: a section for each file, a row for each subject in it. */
export default class Table implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const sections = modules
      .filter(({ moduleId }) => moduleId.includes('/real-world/'))
      .flatMap(({ children }) => [...children.suites()])
      .map(sectionOf)
      .sort(([a], [b]) => a.localeCompare(b));
    writeFileSync(FILE, [INTRODUCTION, ...sections.map(([, text]) => text)].join('\n'));
  }
}

function sectionOf(suite: TestSuite): [title: string, text: string] {
  const rows = [...suite.children.suites()].map(rowOf);
  const table = ['| subject | checked | result |', '| --- | --- | --- |', ...rows];
  return [suite.name, `## ${suite.name}\n\n${table.join('\n')}\n`];
}

function rowOf(subject: TestSuite): string {
  const tests = [...subject.children.allTests()];
  const notes = tests.flatMap(test => test.annotations()).filter(({ type }) => type === 'note');
  const cells = [
    subject.name,
    unique(tests.map(({ name }) => name)).join('; '),
    [resultOf(tests), ...unique(notes.map(({ message }) => message))].join('. '),
  ];
  return `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function resultOf(tests: TestCase[]): string {
  const states = tests.map(test => test.result().state);
  if (states.includes('failed')) return 'fails';
  return states.includes('passed') ? 'works' : 'not run';
}

function unique(texts: string[]): string[] {
  return [...new Set(texts)];
}
