import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Course } from './course.ts';
import { play, verdictOf } from './play.ts';
import { printTrace } from './trace.ts';

interface Known {
  about: string;
  /** The engine is right by now. Until then the test is to fail. */
  isMended: boolean;
  course: Course;
}

const folder = new URL('./courses/', import.meta.url);

describe('courses that once failed', () => {
  for (const file of readdirSync(folder)) {
    const known = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Known;
    const { about, course } = known;
    (known.isMended ? it : it.fails)(`${file.replace('.json', '')}: ${about}`, async () => {
      if ((await verdictOf(course)) === undefined) return;
      expect.fail(printTrace(course, await play(course, true)));
    });
  }
});
