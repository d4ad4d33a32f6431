import { defineConfig } from 'tsup';
import { common } from '../../tsup.config.ts';

export default defineConfig({
  ...common,
  entry: ['src/index.ts', 'src/node.ts', 'src/fetch.ts', 'src/client.ts'],
  // One copy of what the entries share, in CommonJS too: there is one TidingsError.
  splitting: true,
  // By Rollup, which also writes the CommonJS chunks. tsup's own way (sucrase) rewrites classes and `?.` for an older Node.
  treeshake: true,
});
