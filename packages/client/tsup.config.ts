import { defineConfig } from 'tsup';
import { common } from '../../tsup.config.ts';

export default defineConfig({
  ...common,
  // The first imports the next two when they are needed.
  entry: ['src/index.ts', 'src/shared.ts', 'src/control.ts', 'src/files.ts'],
  // Browsers load it as it is.
  target: 'es2022',
  // The types that a page shares with the server are core's. This package has no dependencies, so it contains them.
  dts: {
    compilerOptions: {
      ignoreDeprecations: '6.0',
      paths: { '@tidings/core/client': ['../core/src/client.ts'] },
    },
  },
});
