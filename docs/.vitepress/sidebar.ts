import type { DefaultTheme } from 'vitepress';

const page = (text: string, link: string) => ({ text, link: `/${link}` });

/** What can be imported. A page of the API reference each. */
const entries = [
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
];

const core = 'api/@tidings/core';

export const sidebar: DefaultTheme.SidebarItem[] = [
  {
    text: 'Guide',
    items: [
      page('Getting started', 'getting-started'),
      page('Streams and options', 'streams'),
      page('Resume and reset', 'resume'),
      page('Typed events', 'types'),
      page('The client', 'client'),
      page('Testing', 'testing'),
      page('Producers and listeners', 'producers'),
      page('Presence', 'presence'),
      page('Authentication and CORS', 'authentication'),
      page('Access control', 'access'),
    ],
  },
  {
    text: 'Recipes',
    items: [
      page('All frameworks', 'frameworks'),
      page('Fastify', 'fastify'),
      page('NestJS', 'nestjs'),
      page('Next.js', 'nextjs'),
      page('SvelteKit', 'sveltekit'),
      page('React', 'react'),
      page('htmx and Datastar', 'htmx'),
      page('Language models', 'llm'),
      page('MCP', 'mcp'),
      {
        text: 'Coming from',
        collapsed: true,
        items: [
          page('better-sse', 'from-better-sse'),
          page('express-sse', 'from-express-sse'),
          page('Hono’s streamSSE', 'from-hono'),
        ],
      },
    ],
  },
  {
    text: 'Operations',
    items: [
      page('Choose a broker', 'brokers'),
      page('Redis', 'redis'),
      page('SQLite', 'sqlite'),
      page('Scaling and sizing', 'scaling'),
      page('Connections and limits', 'connections'),
      page('Reverse proxies', 'proxies'),
      page('Compression', 'compression'),
      page('Shutdown and deploys', 'shutdown'),
      page('Metrics, traces and alerts', 'metrics'),
      page('Inspector', 'inspector'),
      page('Threat model', 'threat-model'),
      page('Compatibility', 'compatibility'),
      page('Troubleshooting', 'troubleshooting'),
    ],
  },
  {
    text: 'Reference',
    items: [
      {
        text: 'API for applications',
        collapsed: true,
        items: entries.map(name => page(`@tidings/${name}`, `api/@tidings/${name}`)),
      },
      {
        text: 'API for extensions',
        collapsed: true,
        items: [
          page('Writing a transport', 'transport'),
          page('Writing a broker', 'broker'),
          page('Transport', `${core}#transport`),
          page('Broker', `${core}#broker`),
          page('Sink', `${core}#sink`),
          page('Observer', `${core}#observer`),
        ],
      },
      page('How delivery works', 'how-delivery-works'),
    ],
  },
];
