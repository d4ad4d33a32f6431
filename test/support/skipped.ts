import type { Reporter, TestModule, TestSuite } from 'vitest/node';

/** Lists at the end, by name, what was skipped for want of a program or of root. */
export default class Skipped implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap(module => {
      const suites = [...module.children.allSuites()].filter(({ name }) => name.includes('(needs '));
      return suites.map(suite => `  ${module.relativeModuleId} > ${suite.name}: ${count(suite)} tests`);
    });
    if (lines.length > 0) console.log(`Skipped:\n${lines.join('\n')}\n`);
  }
}

function count(suite: TestSuite): number {
  return [...suite.children.allTests()].length;
}
