// Checks the types of adapters in a workspace of pnpm that has two majors of a framework, as npm would lay them out and
// without hoisting. An adapter has to find the declarations of the framework that its own project has.
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const majors = {
  older: { express: '4.18.0', '@types/express': '4.17.25', koa: '2.15.0', '@types/koa': '2.15.0' },
  newer: { express: '5.3.0', '@types/express': '5.0.6', koa: '3.3.0', '@types/koa': '3.0.3' },
};

const PROGRAM = `
import type { EventStream } from '@tidings/core';
import { sse as expressSse } from '@tidings/express';
import { sse as koaSse } from '@tidings/koa';
import express from 'express';
import Koa from 'koa';

express().use(expressSse()).get('/', (_req, res) => {
  const stream: EventStream = res.sse({ client: 'ann' });
  stream.send('x');
  // @ts-expect-error it is not any
  res.sse(5);
});
new Koa().use(koaSse()).use(ctx => {
  const stream: EventStream = ctx.sse({ client: 'ann' });
  stream.send('x');
  // @ts-expect-error it is not any
  ctx.sse(5);
});
`;

const compilerOptions = {
  strict: true,
  target: 'es2022',
  module: 'nodenext',
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

const json = value => JSON.stringify(value, undefined, 2);

/**
 * @param {string[]} tarballs what is published.
 * @param {string} folder where the workspaces are created.
 * @param {(command: string, args: string[], cwd: string) => void} run runs a program, and throws if it fails.
 */
export function checkTypeLayouts(tarballs, folder, run) {
  const packed = Object.fromEntries(
    tarballs.map(file => [basename(file).replace(/^tidings-(\w+)-.*$/, '@tidings/$1'), `file:${file}`]),
  );
  const {
    '@tidings/client': client,
    '@tidings/core': core,
    '@tidings/express': express,
    '@tidings/koa': koa,
  } = packed;
  for (const hoist of [true, false]) {
    const workspace = join(folder, hoist ? 'hoisted' : 'not-hoisted');
    mkdirSync(workspace);
    const settings = {
      packages: Object.keys(majors),
      overrides: { '@tidings/client': client, '@tidings/core': core },
      hoist,
    };
    // JSON is YAML.
    writeFileSync(join(workspace, 'pnpm-workspace.yaml'), json(settings));
    writeFileSync(join(workspace, 'package.json'), json({ private: true }));
    for (const [name, frameworks] of Object.entries(majors)) {
      const project = join(workspace, name);
      mkdirSync(project);
      const dependencies = {
        ...frameworks,
        '@types/node': '20.19.0',
        '@tidings/core': core,
        '@tidings/express': express,
        '@tidings/koa': koa,
      };
      writeFileSync(
        join(project, 'package.json'),
        json({ name, private: true, type: 'module', dependencies }),
      );
      writeFileSync(join(project, 'tsconfig.json'), json({ compilerOptions, include: ['program.ts'] }));
      writeFileSync(join(project, 'program.ts'), PROGRAM);
    }
    run('pnpm', ['install', '--prefer-offline', '--no-frozen-lockfile', '--silent'], workspace);
    for (const name of Object.keys(majors)) run('tsc', ['--project', '.'], join(workspace, name));
  }
}
