// With `--import`, packages of this repository resolve to the files that npm would install: those of `publishConfig`.
// TIDINGS_PACKAGES: the URL of another folder of packages, for an earlier revision.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const packages = process.env.TIDINGS_PACKAGES ?? new URL('../../packages/', import.meta.url);

// The hooks run in a thread of their own, which loads this file once more.
if (isMainThread) register(import.meta.url);

/** @type {import('node:module').ResolveHook} */
export function resolve(specifier, context, nextResolve) {
  const [, name, entry] = /^@tidings\/([^/]+)(\/.+)?$/.exec(specifier) ?? [];
  if (name === undefined) return nextResolve(specifier, context);
  const root = new URL(`${name}/`, packages);
  const { publishConfig } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const file = publishConfig.exports[`.${entry ?? ''}`].import.default;
  return { url: new URL(file, root).href, shortCircuit: true };
}
