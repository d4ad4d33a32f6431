import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Comment, CommentTag, Converter } from 'typedoc';

const packages = new URL('../packages/', import.meta.url);

/** The files of everything that can be imported from a package. */
function entriesOf(name) {
  return Object.values(readPackage(name).exports).map(file => `../packages/${name}/${file}`);
}

function readPackage(name) {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, packages), 'utf8'));
}

/** What the paths of packages are for. The packages themselves say it in their package.json. */
const PATHS = {
  'client/files': 'The files of the client, for adapters that serve them to pages without a bundler.',
  'core/client': 'Types of events and a parser for pages.',
  'core/fetch': 'Streams as responses to web Requests, for frameworks without an adapter.',
  'core/node': 'Streams as responses to requests of node:http and node:http2, and graceful shutdown.',
  'inspector/fetch': 'The inspector for frameworks that answer a web Request.',
  'inspector/hono': 'The inspector for Hono.',
  'inspector/koa': 'The inspector for Koa.',
};

/** Gives modules the names that readers know, and descriptions: `core/src/node` is imported as `@tidings/core/node`. */
function rename({ converter }) {
  converter.on(Converter.EVENT_CREATE_PARAMETER, (_context, parameter) => {
    if (parameter.name === '__namedParameters') parameter.name = 'options';
  });
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children) {
      const path = module.name.replace('/src', '');
      module.name = `@tidings/${path}`;
      const text = PATHS[path] ?? readPackage(path).description;
      module.comment = new Comment([{ kind: 'text', text }]);
    }
  });
}

/** What an application needs only to write an adapter, a broker, a transport, or a tool that observes a hub. */
const EXTENSIONS = {
  '@tidings/core': [
    ...[
      'Broker',
      'BrokerCall',
      'ChannelState',
      'ConnectionStats',
      'Draft',
      'Entry',
      'FanOut',
      'FanOutTarget',
    ],
    ...['Frame', 'Keep', 'LeaseChange', 'LogHead', 'Observer', 'Opened', 'Page', 'Position', 'Published'],
    ...['QueueStats', 'ReadFrom', 'Replay', 'Sink', 'StreamHeaders', 'StreamRequest', 'StreamSummary'],
    ...['AuthorizeCall', 'Transport', 'TransportListener'],
  ],
  '@tidings/core/node': ['adapterHub', 'BeforeHeaders', 'failStream', 'readBody', 'releaseResponse'],
  '@tidings/core/fetch': ['adapterHub', 'FetchConnection', 'nodeConnection'],
};

const GROUPS = ['For applications', 'For extensions'];
const RE_EXPORTS = 'From other packages';

/** Groups the exports by who needs them. */
function group({ converter }) {
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children) {
      const extensions = EXTENSIONS[module.name] ?? [];
      for (const each of module.children) {
        const text = each.isReference() ? RE_EXPORTS : GROUPS[Number(extensions.includes(each.name))];
        // A comment of a function itself would hide that of its signature.
        for (const documented of each.signatures ?? [each]) {
          documented.comment ??= new Comment();
          documented.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text }]));
        }
      }
    }
  });
}

/** Writes the list of all pages, for the sidebar. */
function list({ renderer }) {
  renderer.on('endRender', ({ outputDirectory, navigation }) => {
    writeFileSync(`${outputDirectory}/pages.json`, JSON.stringify(navigation));
  });
}

export default {
  name: 'API',
  plugin: ['typedoc-plugin-markdown', rename, group, list],
  categorizeByGroup: false,
  sort: ['kind', 'alphabetical'],
  kindSortOrder: ['Function', 'Interface', 'TypeAlias', 'Class'],
  categoryOrder: [...GROUPS, RE_EXPORTS],
  tsconfig: 'tsconfig.json',
  entryPoints: readdirSync(packages).flatMap(entriesOf),
  out: 'api',
  readme: 'none',
  router: 'member',
  entryFileName: 'index',
  hidePageHeader: true,
  indexFormat: 'table',
  pageTitleTemplates: { member: ({ rawName }) => rawName.replace(/<.*/, '') },
  useHTMLAnchors: true,
  disableSources: true,
  excludeExternals: true,
  excludeInternal: true,
  treatWarningsAsErrors: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  tableColumnSettings: { hideDefaults: true, hideModifiers: true },
  typeDeclarationFormat: 'table',
  logLevel: 'Warn',
};
