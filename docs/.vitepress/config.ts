import { defineConfig } from 'vitepress';
import { apiSidebar } from './api-sidebar.ts';
import { checkAndDescribe } from './built.ts';
import { breakNames, labelCells, linkRepository, repositoryUrl, version } from './repository.ts';
import { sidebar } from './sidebar.ts';

// Where the site is on its host, with a slash at both ends: GitHub Pages has it in a folder.
const base = process.env.DOCS_BASE ?? '/';

const guide = '^/(getting-started|streams|resume|types|client|testing|producers|presence|auth|access)';

export default defineConfig({
  title: 'Tidings',
  titleTemplate: ':title · Tidings',
  description: 'Server-Sent Events for Express, Koa, Hono and Fastify, with resume after a reconnect.',
  lang: 'en',
  base,
  cleanUrls: true,
  // The list of all pages and the sidebars in files of their own, and not once more in each page.
  metaChunk: true,
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}logo.svg` }]],
  themeConfig: {
    logo: { src: '/logo.svg', width: 24, height: 24, alt: '' },
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: repositoryUrl, ariaLabel: 'Repository on GitHub' }],
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: guide },
      { text: 'Recipes', link: '/frameworks' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
      {
        text: `v${version}`,
        items: [
          { text: 'Changelog', link: `${repositoryUrl}/blob/main/CHANGELOG.md` },
          { text: 'Contributing', link: `${repositoryUrl}/blob/main/CONTRIBUTING.md` },
          { text: 'Security', link: `${repositoryUrl}/blob/main/SECURITY.md` },
        ],
      },
    ],
    sidebar: { '/api/': apiSidebar(), '/': sidebar },
  },
  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark' },
    // Near enough: there are no better ones.
    languageAlias: { haproxy: 'nginx', caddyfile: 'nginx', lighttpd: 'nginx' },
    config(md) {
      linkRepository(md);
      labelCells(md);
      breakNames(md);
    },
  },
  buildEnd: checkAndDescribe,
});
