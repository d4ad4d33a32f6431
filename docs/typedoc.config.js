import { readdirSync, readFileSync } from 'node:fs';
import { Converter } from 'typedoc';

const packages = new URL('../packages/', import.meta.url);

/** The files of everything that can be imported from a package. */
function entriesOf(name) {
  const { exports } = JSON.parse(readFileSync(new URL(`${name}/package.json`, packages), 'utf8'));
  return Object.values(exports).map(file => `../packages/${name}/${file}`);
}

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
  entryPoints: readdirSync(packages).flatMap(entriesOf),
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
