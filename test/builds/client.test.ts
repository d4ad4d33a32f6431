import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Client from '@tidings/client';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { expect, test } from 'vitest';
import { PACKED } from '../support/packed.ts';
import { listen } from '../support/server.ts';

const file = (extension: string) =>
  pathToFileURL(join(PACKED, 'node_modules/@tidings/client/dist', `index.${extension}`)).href;

test.each(['js', 'cjs'])('the packed client (%s) receives events, and ends', async extension => {
  const { connect }: typeof Client = await import(file(extension));
  const hub = createHub();
  const server = await listen((req, res) => {
    openStream(req, res, { hub }).stream([{ n: 1 }, { n: 2 }]);
  });
  const seen: unknown[] = [];
  for await (const { data } of connect(server.origin)) seen.push(data);
  server.kill();
  expect(seen).toEqual([{ n: 1 }, { n: 2 }]);
});

test.each(['js', 'cjs'])('importing the packed client (%s) on a server has no effect', extension => {
  const program = `
    delete globalThis.fetch;
    await import('${file(extension)}');
    // Node.js may still be closing the files that it has loaded.
    const left = process.getActiveResourcesInfo().filter(name => name !== 'CloseReq');
    console.log(JSON.stringify([left, globalThis.fetch ?? null]));
  `;
  const args = ['--input-type=module', '--eval', program];
  expect(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }))).toEqual([[], null]);
});
