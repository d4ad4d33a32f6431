import { Converter } from 'typedoc';

const entries = ['core', 'core/node', 'core/fetch', 'express', 'koa', 'hono', 'redis'];

/** `core/src/node` is imported as `@tidings/core/node`. */
function nameModules(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children) module.name = `@tidings/${module.name.replace('/src', '')}`;
  });
}

export default {
  name: 'API',
  plugin: ['typedoc-plugin-markdown', nameModules],
  tsconfig: 'tsconfig.json',
  entryPoints: entries.map(entry => {
    const [folder, file = 'index'] = entry.split('/');
    return `../packages/${folder}/src/${file}.ts`;
  }),
  out: 'api',
  readme: 'none',
  sort: ['kind', 'alphabetical'],
  router: 'module',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  disableSources: true,
  excludeExternals: true,
  treatWarningsAsErrors: true,
  parametersFormat: 'table',
  typeDeclarationFormat: 'table',
  logLevel: 'Warn',
};
