import { defineConfig } from 'tsup';
import { common } from '../../tsup.config.ts';

export default defineConfig({
  ...common,
  // Browsers load it as it is.
  target: 'es2022',
  // The types that pages share with a server are core's. This package has no dependencies, so it contains them.
  dts: { compilerOptions: { ignoreDeprecations: '6.0' }, resolve: ['@tidings/core/client'] },
});
