// Checked by `npm run lint`: what may import what. Types count, too.

/** The layers of packages/core/src, the lowest first. A layer imports itself and those below it. */
const layers = ['base', 'protocol', 'compression', 'log', 'delivery', 'stream', 'hub'];

const coreLayers = layers.map((layer, index) => ({
  name: `core-${layer}-imports-down-only`,
  comment: `packages/core/src/${layer} may import only ${layers.slice(0, index + 1).join(', ')}.`,
  severity: 'error',
  from: { path: `^packages/core/src/${layer}/` },
  to: {
    path: '^packages/core/src/',
    pathNot: `^packages/core/src/(${layers.slice(0, index + 1).join('|')})/`,
  },
}));

export default {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'core-root-has-no-node',
      comment:
        'The root entry runs on every runtime. Only node.ts and its part of transports/ may import Node.js.',
      severity: 'error',
      from: {
        path: '^packages/core/src/',
        pathNot:
          '^packages/core/src/(node|transports/(node-transport|shared-write|bare-socket|connection))\\.ts$',
      },
      to: { dependencyTypes: ['core'] },
    },
    ...coreLayers,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules)/' },
  },
};
