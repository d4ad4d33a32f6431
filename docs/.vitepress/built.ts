import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { DefaultTheme, SiteConfig } from 'vitepress';
import { apiPackages } from './api-sidebar.ts';
import { siteUrl } from './repository.ts';
import { sidebar } from './sidebar.ts';

type Item = DefaultTheme.SidebarItem;

/** Runs after the build: fails if a link has no target, and writes llms.txt. */
export function checkAndDescribe({ outDir, srcDir, pages, site }: SiteConfig<DefaultTheme.Config>): void {
  checkLinks(outDir, site.base);
  for (const page of pages) copyFileSync(join(srcDir, page), join(outDir, page));
  writeFileSync(join(outDir, 'llms.txt'), describe(srcDir));
}

/** Every internal link, with its anchor. VitePress checks neither anchors nor what the theme links. */
function checkLinks(outDir: string, base: string): void {
  const files = readdirSync(outDir, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.html'),
  );
  const texts = new Map(files.map(name => [name, readFileSync(join(outDir, name), 'utf8')]));
  const dead = [...texts].flatMap(([name, text]) =>
    Array.from(text.matchAll(/<(?:a|img)\s[^>]*?(?:href|src)="([^"]+)"/g), ([, link = '']) => link).filter(
      link => !isAlive(name, decodeURI(link).replaceAll('&amp;', '&')),
    ),
  );
  if (dead.length > 0) throw new Error(`dead links: ${[...new Set(dead)].join(', ')}`);

  function isAlive(from: string, link: string): boolean {
    if (/^(https?|data|mailto):/.test(link)) return true;
    const [path = '', hash = ''] = link.split('#');
    const to = path.startsWith(base) ? path.slice(base.length) : posix.join(posix.dirname(from), path);
    const target = path === '' ? from : to === '' || to === '.' ? 'index.html' : to;
    const html = [target, `${target}.html`, `${target}index.html`].find(name => texts.has(name));
    if (html === undefined) return existsSync(join(outDir, target)) && hash === '';
    return hash === '' || texts.get(html)?.includes(`id="${hash}"`) === true;
  }
}

/** An index of the pages for language models: https://llmstxt.org. The pages are beside it, as Markdown. */
function describe(srcDir: string): string {
  const lines = (items: readonly Item[]): string[] =>
    items.flatMap(({ text, link, items = [] }) => {
      if (link === undefined || link === '/api/') return lines(items);
      const path = `${link.slice(1)}${link.endsWith('/') ? 'index' : ''}.md`;
      const line = `- [${text}](${siteUrl}${path}): ${firstSentence(join(srcDir, path))}`;
      return [line, ...lines(items)];
    });
  const api = { text: 'API for applications and extensions', items: apiPackages() };
  const sections = [...sidebar, api].map(
    ({ text, items = [] }) => `## ${text}\n\n${lines(items).join('\n')}`,
  );
  return `# Tidings\n\n> Server-Sent Events for Express, Koa, Hono and Fastify, with resume after a reconnect.\n\n${sections.join('\n\n')}\n`;
}

function firstSentence(file: string): string {
  const [, paragraph = ''] = /^# .*\n\n([\s\S]*?)\n\n/m.exec(readFileSync(file, 'utf8')) ?? [];
  const text = paragraph.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/\s+/g, ' ');
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text.replace(/:$/, '.');
}
