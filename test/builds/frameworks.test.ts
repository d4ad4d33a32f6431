import { afterEach, describe, expect, it } from 'vitest';
import { PACKED } from '../support/packed.ts';
import { type Program, runProgram } from '../support/program.ts';
import { deliversAndResumes, messagesOf } from '../support/resumes.ts';
import { snippet } from '../support/snippets.ts';

let program: Program;
afterEach(() => program.stop());

describe.each([
  ['nestjs', 'nest express'],
  ['nestjs', 'nest fastify'],
  ['fastify', 'fastify'],
  ['frameworks', 'h3'],
  ['frameworks', 'elysia'],
])('the code of docs/%s.md: %s', (page, name) => {
  it('delivers, resumes, and ends with the process', async () => {
    program = await runProgram(snippet(`docs/${page}.md`, name), undefined, PACKED);
    const client = await deliversAndResumes(program, '/events');
    if (!name.startsWith('nest')) return;
    const ticks = await program.get('/ticks');
    await ticks.until(each => messagesOf(each).length === 2);
    expect(messagesOf(ticks)).toEqual([{ n: 0 }, { n: 1 }]);
    program.signal('SIGTERM');
    await Promise.all([client.ended, ticks.ended, program.exited]);
  });
});
