// Checks the types of every project of the repository, in one process: declarations of libraries are parsed once. Each
// project reports the errors in its own files. What it imports from another is checked there, with the options of that one.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const inside = folder => readdirSync(join(root, folder)).map(name => `${folder}/${name}`);
const packages = inside('packages');
const projects = [
  '.',
  ...packages.flatMap(name => [name, `${name}/page`, `${name}/test/page`]),
  ...inside('examples'),
  'docs',
  'bench',
]
  .map(folder => join(root, folder, 'tsconfig.json'))
  .filter(existsSync);

const folders = projects.map(dirname).sort((one, other) => other.length - one.length);
const isInside = (file, folder) => file.startsWith(`${folder}/`) && !file.includes('/node_modules/');

/** Parsed declarations, by all that their parsing depends on. */
const parsed = new Map();

function createHost(options) {
  const host = ts.createCompilerHost(options);
  const { getSourceFile } = host;
  host.getSourceFile = (file, how, ...rest) => {
    if (!file.endsWith('.d.ts')) return getSourceFile(file, how, ...rest);
    const key = JSON.stringify([file, how, options.moduleDetection, options.jsx]);
    if (!parsed.has(key)) parsed.set(key, getSourceFile(file, how, ...rest));
    return parsed.get(key);
  };
  return host;
}

function check(project) {
  const folder = dirname(project);
  const { config, error } = ts.readConfigFile(project, ts.sys.readFile);
  const { options, fileNames, errors } = ts.parseJsonConfigFileContent(
    config,
    ts.sys,
    folder,
    undefined,
    project,
  );
  const program = ts.createProgram(fileNames, options, createHost(options));
  const found = [error ?? [], errors, program.getOptionsDiagnostics(), program.getGlobalDiagnostics()].flat();
  const listed = new Set(fileNames);
  const isOwn = ({ fileName }) =>
    isInside(fileName, folder) &&
    (listed.has(fileName) || folders.find(each => isInside(fileName, each)) === folder);
  // The declarations of libraries, too, where a project asks for that.
  const isChecked = source => isOwn(source) || (source.isDeclarationFile && options.skipLibCheck === false);
  for (const source of program.getSourceFiles().filter(isChecked)) {
    found.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
  }
  return found;
}

const found = projects.flatMap(check);
const format = {
  getCanonicalFileName: name => name,
  getCurrentDirectory: () => root,
  getNewLine: () => '\n',
};
if (found.length > 0) {
  console.error(ts.formatDiagnosticsWithColorAndContext(found, format));
  process.exitCode = 1;
}
