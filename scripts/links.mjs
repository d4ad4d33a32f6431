// Where the project is on the web, and whether the links of a README on npm lead somewhere.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The addresses in the root package.json, the one place where they are set. */
export function addresses() {
  const { homepage, repository } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  return { homepage, repository: repository.url.replace(/^git\+|\.git$/g, '') };
}

/** What is wrong with the links of a README that npm shows without the repository around it. */
export function brokenLinks(text, name) {
  const { homepage, repository } = addresses();
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), match => match[1]).flatMap(link => {
    if (link.startsWith('#')) return [];
    if (!/^https?:/.test(link)) return `${name}: ${link} is relative, and does not resolve on npm`;
    const target = targetOf(link.split('#')[0]);
    return target === undefined || existsSync(root + target) ? [] : `${name}: ${link} has no target`;
  });

  /** The file that a page of the site, or of the repository, is made from. Undefined: it is of another site. */
  function targetOf(url) {
    if (url.startsWith(homepage)) return `docs/${url.slice(homepage.length) || 'index'}.md`;
    const [, path] = new RegExp(`^${repository}/(?:blob|tree)/main/(.*)$`).exec(url) ?? [];
    return path;
  }
}
