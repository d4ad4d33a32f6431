import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

describe('the API reference', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-api-'));
  const page = (entry: string) => readFileSync(join(folder, `${entry}.md`), 'utf8');
  beforeAll(async () => {
    await promisify(execFile)(`${root}docs/node_modules/.bin/typedoc`, ['--out', folder], {
      cwd: `${root}docs`,
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('has a page for every export, and the site links it', () => {
    const written = readdirSync(join(folder, '@tidings'), { recursive: true }).map(String);
    const pages = written.filter(name => name.endsWith('.md')).map(name => `@tidings/${name.slice(0, -3)}`);
    expect(pages.sort()).toEqual([...entries].sort());
    const site = readFileSync(`${root}docs/.vitepress/sidebar.ts`, 'utf8');
    expect(entries.filter(entry => !site.includes(`'${entry.replace('@tidings/', '')}'`))).toEqual([]);
  });

  it.each([
    ['@tidings/express', 'res.sse()'],
    ['@tidings/koa', 'ctx.sse()'],
    ['@tidings/hono', 'c.var.sse()'],
    ['@tidings/fastify', 'reply.sse()'],
  ])('of %s documents parameters, results and errors of %s', (entry, call) => {
    const section =
      page(entry)
        .split(/^##### /m)
        .find(text => text.includes(`\`${call}\` answers`)) ?? '';
    expect(section).toMatch(/^sse\(\)/);
    expect(section).toContain('| `options?` | [`StreamOptions`](core.md#streamoptions)');
    expect(section).toContain('###### Returns');
    expect(section).toContain('`already-open`');
    expect(section).toContain('###### Example');
  });
});
