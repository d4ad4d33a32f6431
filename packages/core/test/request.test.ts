import { expect, it } from 'vitest';
import { readLastEventId } from '../src/protocol/last-event-id.ts';

function read(url: string, lastEventId?: string | null): string | undefined {
  return readLastEventId({ method: 'GET', url, lastEventId });
}

it.each([
  ['/', undefined],
  ['/?', undefined],
  ['/?a=b', undefined],
  ['/lastEventId=1', undefined],
  ['/?notlastEventId=1', undefined],
  ['/?lasteventid=1', undefined],
  ['/?lastEventId', undefined],
  ['/?lastEventId=', undefined],
  ['/?lastEventId=1', '1'],
  ['/?a=b&lastEventId=1&c=d', '1'],
  ['/?lastEventId=1&lastEventId=2', '1'],
  ['/?notlastEventId=1&lastEventId=2', '2'],
  ['/?lastEventId=%E2%80%A6+x%26', '… x&'],
  ['/?lastEventId=%', '%'],
  ['https://example.org/a?lastEventId=1', '1'],
])('for %s it is %j', (url, id) => {
  expect(read(url)).toBe(id);
});

it('the header wins, unless it is empty', () => {
  expect(read('/?lastEventId=query', 'header')).toBe('header');
  for (const none of [undefined, null, '']) expect(read('/?lastEventId=query', none)).toBe('query');
});

it('the header is UTF-8, with one character for each byte', () => {
  const id = '… 😀 é';
  expect(read('/', Buffer.from(id).toString('latin1'))).toBe(id);
  expect(read('/', Buffer.from('\ufeffa').toString('latin1'))).toBe('\ufeffa');
});

it('the header may have been decoded already', () => {
  for (const id of ['… 😀 é', 'é', '\xff']) expect(read('/', id)).toBe(id);
});
