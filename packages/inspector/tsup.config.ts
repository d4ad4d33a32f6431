import { defineConfig } from 'tsup';
import { common } from '../../tsup.config.ts';

export default defineConfig({
  ...common,
  entry: ['src/index.ts', 'src/koa.ts', 'src/hono.ts', 'src/fetch.ts'],
  splitting: true,
  treeshake: true,
  // `import.meta.url` in CommonJS: the page is read from a folder beside dist.
  shims: true,
});
