import { Converter } from 'typedoc';

const entries = ['core', 'core/node', 'core/fetch', 'express', 'koa', 'hono', 'redis'];

/** Gives things the names that readers know: `core/src/node` is imported as `@tidings/core/node`. */
function rename({ converter }) {
  converter.on(Converter.EVENT_CREATE_PARAMETER, (_context, parameter) => {
    if (parameter.name === '__namedParameters') parameter.name = 'options';
  });
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children) module.name = `@tidings/${module.name.replace('/src', '')}`;
  });
}

export default {
  name: 'API',
  plugin: ['typedoc-plugin-markdown', rename],
  tsconfig: 'tsconfig.json',
  entryPoints: entries.map(entry => {
    const [folder, file = 'index'] = entry.split('/');
    return `../packages/${folder}/src/${file}.ts`;
  }),
  out: 'api',
  readme: 'none',
  groupOrder: ['Functions', 'Interfaces', 'Type Aliases', 'Classes'],
  router: 'module',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  useHTMLAnchors: true,
  disableSources: true,
  excludeExternals: true,
  treatWarningsAsErrors: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  tableColumnSettings: { hideDefaults: true },
  typeDeclarationFormat: 'table',
  logLevel: 'Warn',
};
