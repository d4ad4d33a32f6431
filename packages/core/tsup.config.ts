import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts', 'src/node.ts', 'src/fetch.ts', 'src/client.ts'],
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  // One copy of what the entries share, in CommonJS too: there is one TidingsError.
  splitting: true,
  // Runtimes other than Node know their built-in modules by this name only.
  removeNodeProtocol: false,
  clean: true,
});
