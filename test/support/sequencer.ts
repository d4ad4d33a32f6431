import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take longest, though they are small. The others follow by their size, as Vitest sorts them, so that none of
 * these is left over at the end, with a worker that has nothing to do.
 */
const LONG = [
  'browser/anywhere',
  'real-world/runtimes',
  'examples/copies',
  'limits/cost',
  'docs/types',
  'builds/next',
  'brokers/chaos',
  'inspector/page',
];

const rank = ({ moduleId }: TestSpecification) =>
  Number(LONG.some(name => moduleId.endsWith(`/test/${name}.test.ts`)));

/** The order in which files start, within a group of projects. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => rank(other) - rank(one));
  }
}
