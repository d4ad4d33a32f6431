import { afterEach, expect, it } from 'vitest';
import { type Program, runProgram } from '../support/program.ts';
import { snippet } from '../support/snippets.ts';

let program: Program | undefined;
afterEach(() => program?.stop());

const started = () =>
  snippet('docs/getting-started.md', 'express').replace(
    'app.listen',
    () => `${snippet('docs/getting-started.md', 'metrics')}\napp.listen`,
  );

it.each([
  ['metrics', () => snippet('docs/metrics.md', 'prometheus')],
  ['getting started', started],
])('the program of the page about %s serves them', async (_page, code) => {
  program = await runProgram(code());
  const stream = await program.get('/events');
  const metrics = await program.get('/metrics');
  await metrics.ended;
  expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(metrics.text).toMatch(/^tidings_streams_open 1$/m);
  stream.leave();
});
