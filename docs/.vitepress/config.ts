import { posix } from 'node:path';
import { defineConfig } from 'vitepress';

export default defineConfig({
  title: 'Tidings',
  description: 'Server-Sent Events for Express, Koa, Hono and Fastify.',
  // Where the site is on its host, with a slash at both ends: GitHub Pages has it in a folder.
  base: process.env.DOCS_BASE ?? '/',
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/getting-started', activeMatch: '^/(?!$|api/|migrating|troubleshooting)' },
      { text: 'Migrating', link: '/migrating' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
      { text: 'API', link: '/api/', activeMatch: '^/api/' },
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          { text: 'Getting started', link: '/getting-started' },
          { text: 'Streams and options', link: '/streams' },
          { text: 'Resume and reset', link: '/resume' },
          { text: 'Typed events', link: '/types' },
          { text: 'The client', link: '/client' },
          { text: 'Producers and listeners', link: '/producers' },
          { text: 'Presence', link: '/presence' },
          { text: 'Frameworks', link: '/frameworks' },
          { text: 'Next.js', link: '/nextjs' },
          { text: 'Migrating', link: '/migrating' },
        ],
      },
      {
        text: 'In production',
        items: [
          { text: 'Authentication and CORS', link: '/authentication' },
          { text: 'Access control', link: '/access' },
          { text: 'Connections and limits', link: '/connections' },
          { text: 'Behind a proxy', link: '/proxies' },
          { text: 'Shutdown and deploys', link: '/shutdown' },
          { text: 'Choose a broker', link: '/brokers' },
          { text: 'Scaling and sizing', link: '/scaling' },
          { text: 'Compression', link: '/compression' },
          { text: 'Redis', link: '/redis' },
          { text: 'Inspector', link: '/inspector' },
          { text: 'Metrics, traces and alerts', link: '/metrics' },
          { text: 'Compatibility', link: '/compatibility' },
          { text: 'Troubleshooting', link: '/troubleshooting' },
        ],
      },
      {
        text: 'With',
        items: [
          { text: 'Language models', link: '/llm' },
          { text: 'htmx and Datastar', link: '/htmx' },
          { text: 'MCP', link: '/mcp' },
        ],
      },
      {
        text: 'Extending',
        items: [
          { text: 'How delivery works', link: '/how-delivery-works' },
          { text: 'Writing a transport', link: '/transport' },
          { text: 'Writing a broker', link: '/broker' },
        ],
      },
      {
        text: 'API',
        collapsed: true,
        items: [
          'core',
          'core/node',
          'core/fetch',
          'core/client',
          'express',
          'koa',
          'hono',
          'fastify',
          'redis',
          'sqlite',
          'inspector',
          'inspector/koa',
          'inspector/hono',
          'inspector/fetch',
          'client',
          'client/files',
          'testing',
          'metrics',
          'native',
        ].map(name => ({ text: `@tidings/${name}`, link: `/api/@tidings/${name}` })),
      },
    ],
  },
  markdown: {
    // Near enough: there are no better ones.
    languageAlias: { haproxy: 'nginx', caddyfile: 'nginx', lighttpd: 'nginx' },
    config(md) {
      // What is outside of this folder is in the repository, and not on the site: there it is text.
      md.core.ruler.push('links-out', ({ tokens, env }) => {
        const folder = posix.dirname((env as { relativePath?: string }).relativePath ?? '');
        for (const { children } of tokens) {
          let isOut = false;
          for (const token of children ?? []) {
            if (token.type === 'link_open') {
              const href = token.attrGet('href') ?? '';
              isOut = href.startsWith('.') && posix.join(folder, href).startsWith('..');
            }
            if (isOut && /^link_/.test(token.type)) {
              token.tag = 'span';
              token.attrs = null;
              if (token.type === 'link_close') isOut = false;
              token.type = 'text_wrapper';
            }
          }
        }
      });
    },
  },
});
