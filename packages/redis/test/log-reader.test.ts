import type { Entry } from '@tidings/core';
import { expect, it } from 'vitest';
import { completePage } from '../src/log-reader.ts';

const entry = (position: number, kind: Entry['kind'] = 'event'): Entry => {
  return { channel: 'x', position, kind, json: false, data: '' };
};
const page = { entries: [entry(1)], trimmedUpTo: 0, last: 1, endedAt: undefined, more: false };

it('adds the entries that have arrived up to the head to a page', () => {
  const result = completePage(page, [entry(2), entry(4, 'end'), entry(6)], 5);
  expect(result.entries.map(({ position }) => position)).toEqual([1, 2, 4]);
  expect(result).toMatchObject({ trimmedUpTo: 0, last: 4, endedAt: 4, more: false });
});

it('leaves the entries to the next read if there are more', () => {
  const result = completePage({ ...page, more: true }, [entry(2), entry(3, 'end')], 5);
  expect(result).toEqual({ ...page, more: true, last: 3, endedAt: 3 });
});

it('drops everything before a begin', () => {
  const ended = { ...page, more: true, last: 2, endedAt: 2 };
  const result = completePage(ended, [entry(4, 'begin'), entry(5)], 5);
  expect(result.entries.map(({ position }) => position)).toEqual([4, 5]);
  expect(result).toMatchObject({ trimmedUpTo: 2, last: 5, endedAt: undefined, more: false });
});
