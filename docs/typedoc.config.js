import { readdirSync, readFileSync } from 'node:fs';
import { Comment, CommentTag, Converter } from 'typedoc';

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

/** What an application needs only to write a broker, a transport, or a tool that observes a hub. */
const EXTENSIONS = new Set([
  ...[
    'Broker',
    'BrokerCall',
    'ChannelState',
    'Draft',
    'Entry',
    'Keep',
    'LeaseChange',
    'LogHead',
    'Opened',
    'Page',
  ],
  ...['Position', 'Published', 'ReadFrom', 'Sink', 'Transport', 'StreamRequest', 'Frame', 'StreamHeaders'],
  ...['Observer', 'Replay', 'AuthorizeCall', 'StreamSummary', 'ConnectionStats', 'QueueStats'],
]);

/** Groups the exports of core by who needs them. */
function group({ converter }) {
  converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    const core = project.children.find(({ name }) => name === '@tidings/core' || name === 'core/src');
    for (const each of core.children) {
      const text = EXTENSIONS.has(each.name) ? 'For extensions' : 'For applications';
      for (const { comment } of [each, ...(each.signatures ?? [])]) {
        comment?.blockTags.push(new CommentTag('@category', [{ kind: 'text', text }]));
      }
      each.comment ??= new Comment([], [new CommentTag('@category', [{ kind: 'text', text }])]);
    }
  });
}

export default {
  name: 'API',
  plugin: ['typedoc-plugin-markdown', rename, group],
  categorizeByGroup: false,
  sort: ['kind', 'alphabetical'],
  kindSortOrder: ['Function', 'Interface', 'TypeAlias', 'Class'],
  categoryOrder: ['For applications', 'For extensions'],
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
