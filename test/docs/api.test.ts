import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../support/snippets.ts';

/** What can be imported, such as `@tidings/core/node`. */
const entries = readdirSync(`${root}packages`).flatMap(name => {
  const { exports } = JSON.parse(readFileSync(`${root}packages/${name}/package.json`, 'utf8'));
  return Object.keys(exports).map(path => `@tidings/${name}${path.slice(1)}`);
});

interface Listed {
  title: string;
  path: string;
  children: Listed[];
}

describe('the API reference', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-api-'));
  let packages: Listed[] = [];
  beforeAll(async () => {
    await promisify(execFile)(`${root}docs/node_modules/.bin/typedoc`, ['--out', folder], {
      cwd: `${root}docs`,
    });
    packages = JSON.parse(readFileSync(join(folder, 'pages.json'), 'utf8'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has a page for each path that can be imported', () => {
    expect(packages.map(({ title }) => title).sort()).toEqual([...entries].sort());
    expect(packages.filter(({ path }) => !existsSync(join(folder, path)))).toEqual([]);
  });

  it('has a page for each export, grouped by who needs it', () => {
    const core = packages.find(({ title }) => title === '@tidings/core');
    const pages = core?.children.map(({ title, children }) => [title, children.map(each => each.title)]);
    expect(pages).toEqual([
      ['For applications', expect.arrayContaining(['createHub', 'Hub', 'From', 'TidingsError'])],
      ['For extensions', expect.arrayContaining(['Broker', 'Transport', 'Observer'])],
    ]);
    const exports = packages.flatMap(({ children }) => children.flatMap(group => group.children));
    expect(exports.filter(({ path }) => !existsSync(join(folder, path)))).toEqual([]);
  });

  it.each([
    ['express/interfaces/SseResponse', 'res.sse()'],
    ['koa/interfaces/SseContext', 'ctx.sse()'],
    ['hono/type-aliases/SseVariables', 'c.var.sse()'],
    ['fastify/interfaces/SseReply', 'reply.sse()'],
  ])('%s documents parameters, results and errors of %s', (name, call) => {
    const section =
      readFileSync(join(folder, `@tidings/${name}.md`), 'utf8')
        .split(/^### /m)
        .find(text => text.includes(`\`${call}\` responds`)) ?? '';
    expect(section).toMatch(/^sse\(\)/);
    expect(section).toContain('| `options?` | [`StreamOptions`](../../core/interfaces/StreamOptions.md)');
    expect(section).toContain('#### Returns');
    expect(section).toContain('`already-open`');
    expect(section).toContain('#### Example');
  });
});
