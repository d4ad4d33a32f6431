import { defineConfig } from 'tsup';
import { common } from '../../tsup.config.ts';

// `import.meta.url` in CommonJS: binaries are found from there.
export default defineConfig({ ...common, shims: true });
