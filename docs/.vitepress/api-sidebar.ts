import { readFileSync } from 'node:fs';
import type { DefaultTheme } from 'vitepress';

type Item = DefaultTheme.SidebarItem;

/** A page, or a group of pages, as typedoc.config.js lists them. */
interface Listed {
  title: string;
  path?: string;
  children?: Listed[];
}

/** The packages, with the exports that applications use, and apart from them those for extensions. */
export function apiSidebar(): Item[] {
  const packages = listPackages();
  return [
    { text: 'API', items: [{ text: 'All packages', link: '/api/' }] },
    { text: 'For applications', items: packages.flatMap(each => itemsOf(each, 'For applications')) },
    {
      text: 'For extensions',
      items: [
        { text: 'Writing a transport', link: '/transport' },
        { text: 'Writing a broker', link: '/broker' },
        ...packages.flatMap(each => itemsOf(each, 'For extensions')),
      ],
    },
  ];
}

/** The page of each package. */
export function apiPackages(): Item[] {
  return listPackages().map(({ title, path }) => ({ text: title, link: linkOf(path) }));
}

function listPackages(): Listed[] {
  return JSON.parse(readFileSync(new URL('../api/pages.json', import.meta.url), 'utf8'));
}

function itemsOf({ title, path, children = [] }: Listed, group: string): Item[] {
  const exports = children.find(each => each.title === group)?.children ?? [];
  if (exports.length === 0) return [];
  const items = exports.map(each => ({ text: each.title, link: linkOf(each.path) }));
  return [{ text: title, link: linkOf(path), collapsed: true, items }];
}

function linkOf(path = ''): string {
  return `/api/${path.replace(/(index)?\.md$/, '')}`;
}
