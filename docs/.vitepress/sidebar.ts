import type { DefaultTheme } from 'vitepress';

const page = (text: string, link: string) => ({ text, link: `/${link}` });

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
      page('API', 'api/'),
      page('Writing a transport', 'transport'),
      page('Writing a broker', 'broker'),
      page('How delivery works', 'how-delivery-works'),
    ],
  },
];
