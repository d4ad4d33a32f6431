import { afterEach, expect, it } from 'vitest';
import { type Program, runProgram } from '../support/program.ts';
import { snippet } from '../support/snippets.ts';

let program: Program | undefined;
afterEach(() => program?.stop());

it('the program of the page about metrics serves them', async () => {
  program = await runProgram(snippet('docs/metrics.md', 'prometheus'));
  const stream = await program.get('/events');
  const metrics = await program.get('/metrics');
  await metrics.ended;
  expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(metrics.text).toMatch(/^tidings_streams_open 1$/m);
  stream.leave();
});
