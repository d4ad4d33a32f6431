import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { PageRequest, PageResponse } from './request.ts';

const page = new URL('../page/', import.meta.url);
const require = createRequire(import.meta.url);

/** The files that the page loads, by their path. */
const files: Record<string, () => URL> = {
  '/': () => new URL('index.html', page),
  ...Object.fromEntries(
    [
      'app.js',
      'channels.js',
      'charts.js',
      'design.css',
      'detail.js',
      'feed.js',
      'format.js',
      'log.js',
      'overview.js',
      'processes.js',
      'streams.js',
      'styles/drawer.css',
      'styles/narrow.css',
      'styles/overview.css',
      'styles/tables.css',
      'table.js',
      'ui.js',
    ].map(name => [`/${name}`, () => new URL(name, page)]),
  ),
  '/lib/preact.js': () => new URL('preact.mjs', mainOf('preact')),
  '/lib/hooks.js': () => new URL('hooks.mjs', mainOf('preact/hooks')),
  '/lib/htm.js': () => new URL('htm.mjs', mainOf('htm')),
  '/lib/uplot.js': () => new URL('uPlot.esm.js', mainOf('uplot')),
  '/lib/uplot.css': () => new URL('uPlot.min.css', mainOf('uplot')),
};

const types = { html: 'text/html', js: 'text/javascript', css: 'text/css' };

/** Responds with a file of the page. Undefined: there is no such file. */
export async function fileFor(request: PageRequest): Promise<PageResponse | undefined> {
  const path = request.path ?? '/';
  if (!Object.hasOwn(files, path)) return undefined;
  const body = await readFile((files[path] as () => URL)(), 'utf8');
  const etag = `"${hash(body)}"`;
  if (request.header('if-none-match') === etag) return { status: 304, headers: { etag }, body: '' };
  const extension = (path === '/' ? 'html' : path.slice(path.lastIndexOf('.') + 1)) as keyof typeof types;
  const headers = {
    'content-type': `${types[extension]}; charset=utf-8`,
    'cache-control': 'no-cache',
    etag,
    ...(extension === 'html' && { 'content-security-policy': policyFor(body) }),
  };
  return { status: 200, headers, body };
}

/** Allows only files of the inspector. The import map is the only inline script. */
function policyFor(html: string): string {
  const [, importMap = ''] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html) ?? [];
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash(importMap)}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function hash(data: string): string {
  return createHash('sha256').update(data).digest('base64');
}

/** The main file of a package. Its other files are in the same folder. */
function mainOf(name: string): URL {
  return pathToFileURL(require.resolve(name));
}
