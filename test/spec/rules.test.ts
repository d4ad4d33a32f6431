import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pages } from './pages.ts';
import { beyondServers, rules, SECTIONS } from './rules.ts';

/** The cases of web-platform-tests, folder `eventsource/`, that a server has a part in, or seems to. */
const CASES = [
  ...['format-bom', 'format-bom-2', 'format-comments', 'format-data-before-final-empty-line'],
  ...['format-field-data', 'format-field-event', 'format-field-event-empty'],
  ...['format-field-id', 'format-field-id-2', 'format-field-id-3', 'format-field-id-null'],
  ...['format-field-parsing', 'format-field-retry', 'format-field-retry-bogus', 'format-field-retry-empty'],
  ...['format-field-unknown', 'format-leading-space', 'format-newlines', 'format-null-character'],
  ...['format-mime-bogus', 'format-mime-trailing-semicolon', 'format-mime-valid-bogus', 'format-utf-8'],
  ...['request-accept', 'request-cache-control', 'request-credentials', 'request-redirect'],
  ...['request-status-error', 'eventsource-cross-origin-preflight'],
];

describe('the rules of WHATWG HTML 9.2 that bind a server', () => {
  for (const { id, section, sentence, check } of rules) {
    it(`${section} ${SECTIONS[section]} · ${id}: ${sentence}`, () => check());
  }

  it('have an id each', () => {
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
  });

  it('cover every case of web-platform-tests', () => {
    const claimed = new Set([...rules.flatMap(({ wpt }) => wpt), ...Object.keys(beyondServers)]);
    expect([...claimed].sort()).toEqual([...CASES].sort());
  });

  it('skip only the web-platform-tests that concern clients', () => {
    for (const [page, test] of Object.entries(pages)) {
      expect(CASES).not.toContain(page);
      if (test !== 'client') expect(existsSync(new URL(test, import.meta.url)), page).toBe(true);
    }
  });
});
