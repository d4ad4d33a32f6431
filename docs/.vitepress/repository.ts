import { existsSync, readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MarkdownRenderer } from 'vitepress';
import { addresses } from '../../scripts/links.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const { homepage, repository } = addresses();
export const siteUrl: string = homepage;
export const repositoryUrl: string = repository;
export const { version }: { version: string } = JSON.parse(
  readFileSync(`${root}packages/core/package.json`, 'utf8'),
);

/** Links to files outside of docs/ lead to the repository. Fails the build if there is no such file. */
export function linkRepository(md: MarkdownRenderer): void {
  md.core.ruler.push('links-out', ({ tokens, env }) => {
    const page: string = env.relativePath ?? '';
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      if (token.type !== 'link_open') continue;
      const [path = '', hash] = (token.attrGet('href') ?? '').split('#');
      const target = posix.join('docs', posix.dirname(page), path);
      if (!path.startsWith('.') || target.startsWith('docs/')) continue;
      if (!existsSync(root + target)) throw new Error(`${page}: there is no ${target}`);
      const kind = statSync(root + target).isDirectory() ? 'tree' : 'blob';
      token.attrSet('href', `${repositoryUrl}/${kind}/main/${target}${hash ? `#${hash}` : ''}`);
    }
  });
}

/** Cells have the text of their column's header: on a phone, a row is a card (see tables.css). */
export function labelCells(md: MarkdownRenderer): void {
  md.core.ruler.push('cell-labels', ({ tokens }) => {
    let labels: string[] = [];
    let column = 0;
    for (const [index, token] of tokens.entries()) {
      if (token.type === 'thead_open') labels = [];
      if (token.type === 'tr_open') column = 0;
      if (token.type === 'th_open') labels.push(tokens[index + 1]?.content.replaceAll(/[`*]/g, '') ?? '');
      if (token.type !== 'td_open') continue;
      const label = labels[column++] ?? '';
      token.attrSet('data-label', label);
      if (label.length === 1) token.attrJoin('class', 'check');
    }
  });
}

/** Long names in code may break after a separator, and nowhere else. */
export function breakNames(md: MarkdownRenderer): void {
  const render = md.renderer.rules.code_inline;
  md.renderer.rules.code_inline = (...args) => {
    const html = render?.(...args) ?? '';
    return html.replaceAll(/[a-zA-Z\d]{2,}[_./]+(?=\w)(?![^<]*>)/g, '$&<wbr>');
  };
}
