import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Program, runProgram } from '../support/program.ts';
import { snippet } from '../support/snippets.ts';
import { describeSubject } from './subject.ts';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** It needs a newer Node.js than the packages do. */
const NODE = path('./servers/node_modules/node22/bin/node');
const SUITE = path('../node_modules/@modelcontextprotocol/conformance/dist/index.js');

/** The tools that the scenarios call, beside that of the page. */
const TOOLS = `
tools.set('test_simple_text', async () => 'This is a simple text response for testing.');
tools.set('test_error_handling', async () => {
  throw new Error('thrown on purpose');
});
tools.set('test_tool_with_progress', async report => {
  for (const progress of [0, 50, 100]) {
    await report(progress, 100);
    await setTimeout(10);
  }
  return 'done';
});
tools.set('test_reconnection', async () => 'done');
`;

/** What the page implements. The other scenarios are about resources, prompts, sampling and other contents of tools. */
const SCENARIOS = [
  'server-initialize',
  'ping',
  'tools-list',
  'tools-call-simple-text',
  'tools-call-error',
  'tools-call-with-progress',
  'server-sse-polling',
  'server-sse-multiple-streams',
  'dns-rebinding-protection',
];

describe('MCP conformance', () => {
  const subject = { name: 'docs/mcp.md, @modelcontextprotocol/conformance' };
  describeSubject({ ...subject, package: '@modelcontextprotocol/conformance' }, () => {
    let program: Program;
    beforeAll(async () => {
      const code = snippet('docs/mcp.md', 'server').replace('app.listen(3000)', `${TOOLS}\napp.listen(3000)`);
      program = await runProgram(code);
      await program.get('/mcp');
    });
    afterAll(() => program.stop());

    test.concurrent.each(SCENARIOS)('%s', async scenario => {
      const args = [SUITE, 'server', '--url', `${program.origin}/mcp`, '--scenario', scenario];
      const { failed, output } = await new Promise<{ failed: boolean; output: string }>(resolve => {
        execFile(NODE, args, { cwd: path('.') }, (error, stdout, stderr) => {
          resolve({ failed: error !== null, output: stdout + stderr });
        });
      });
      expect(failed ? output : '').toBe('');
    });
  });
});
