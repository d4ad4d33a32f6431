import type { EventFields } from '@tidings/core';
import { expect, it } from 'vitest';
import { contract } from './contract.ts';

/** An event of a library that is compared byte by byte with what servers in other languages send: here, Datastar. */
type Sent = [event: string, data: string[], fields?: EventFields];

const PATCH = 'datastar-patch-elements';
const SIGNALS = 'datastar-patch-signals';
const all = { id: 'event1', retry: 2_000 };
const lines = (name: string, text: string) => text.split('\n').map(line => `${name} ${line}`);
const script = (text: string, attributes = ' data-effect="el.remove()"') => [
  'mode append',
  'selector body',
  ...lines('elements', `<script${attributes}>${text}</script>`),
];

const answers: [name: string, ...events: Sent[]][] = [
  ['elements', [PATCH, ['elements <b>1</b>']]],
  ['elements of several lines', [PATCH, lines('elements', '<ul>\n  <li>1</li>\n\n</ul>')]],
  [
    'elements with all options',
    [PATCH, ['selector #list', 'mode append', 'useViewTransition true', 'elements <b>1</b>'], all],
  ],
  ['elements that are removed', [PATCH, ['mode remove', 'selector #list']]],
  [
    'elements that are removed, with all options',
    [PATCH, ['selector #list', 'mode remove', 'useViewTransition true'], all],
  ],
  ['a script', [PATCH, script('run()')]],
  ['a script of several lines', [PATCH, script('if (a) {\n  run();\n}')]],
  ['a script with all options', [PATCH, script('run()', ' type="module" blocking="render"'), all]],
  ['signals', [SIGNALS, [`signals ${JSON.stringify({ one: 1, two: 2 })}`]]],
  ['signals with line breaks in their values', [SIGNALS, [`signals ${JSON.stringify({ one: 'a\nb' })}`]]],
  ['signals written in several lines', [SIGNALS, lines('signals', '{\n"one": "a",\n"two":  \n"b"}')]],
  ['signals with all options', [SIGNALS, ['onlyIfMissing true', 'signals {"one":1}'], all]],
  ['signals that are removed', [SIGNALS, ['signals {"one":null,"two":{"three":null}}']]],
  ['signals that are removed, with all options', [SIGNALS, ['signals {"one":null}'], all]],
  ['two events', [PATCH, ['elements <b>1</b>']], [PATCH, ['elements <b>2</b>']]],
];

/** The block of an event as the standard describes it, and nothing else. The id is its last field. */
function block([event, data, { id, retry } = {}]: Sent): string {
  const fields = [`event: ${event}`, ...(retry === undefined ? [] : [`retry: ${retry}`])];
  const last = id === undefined ? [] : [`id: ${id}`];
  return `${[...fields, ...data.map(line => `data: ${line}`), ...last].join('\n')}\n\n`;
}

contract('a response is only its events, byte by byte', ({ serve }) => {
  it('to a GET and to a POST', async () => {
    const { get } = await serve(async context => {
      const [, ...events] = answers[Number(await context.readBody())] as (typeof answers)[0];
      return context.stream(stream => {
        for (const [event, data, fields] of events) stream.send(data.join('\n'), { ...fields, event });
        stream.close();
      });
    });
    for (const [index, [name, ...events]] of answers.entries()) {
      const client = await get('/', { method: 'POST', body: String(index) });
      expect(await client.ended).toBe(true);
      expect(client.text, name).toBe(events.map(block).join(''));
    }
    const client = await get('/');
    expect(await client.ended).toBe(true);
    expect(client.text).toBe(block(answers[0]?.[1] as Sent));
  });
});
