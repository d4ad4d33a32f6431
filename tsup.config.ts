import { defineConfig, type Options } from 'tsup';

/** How every package is built, from its own folder. */
export const common: Options = {
  entry: ['src/index.ts'],
  format: ['esm', 'cjs'],
  target: 'node20',
  dts: { compilerOptions: { ignoreDeprecations: '6.0' } },
  // Runtimes other than Node know their built-in modules by this name only.
  removeNodeProtocol: false,
  clean: true,
};

export default defineConfig(common);
