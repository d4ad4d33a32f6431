import { describe, expect, it } from 'vitest';
import { knownCourses } from './known.ts';
import { play, verdictOf } from './play.ts';
import { printTrace } from './trace.ts';

describe('courses that once failed', () => {
  for (const { name, about, isMended, course } of knownCourses()) {
    (isMended ? it : it.fails)(`${name}: ${about}`, async () => {
      if ((await verdictOf(course)) === undefined) return;
      expect.fail(printTrace(course, await play(course, true)));
    });
  }
});
