import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { asModule, PACKED } from '../support/packed.ts';
import { root } from '../support/snippets.ts';

/** Prints an error of the hub, and one of a stream, as `console.error` would. */
const PROGRAM = `
const { inspect } = require('node:util');
const { createServer } = require('node:http');
const { createHub } = require('@tidings/core');
const { openStream } = require('@tidings/core/node');
const hub = createHub();
const failures = [];
const attempt = action => {
  try {
    action();
  } catch (error) {
    failures.push([error.constructor.name, inspect(error)]);
  }
};
attempt(() => hub.channel(''));
const server = createServer((req, res) => {
  const stream = openStream(req, res, { hub });
  attempt(() => stream.send('x', { event: 'a\\nb' }));
  attempt(() => openStream(req, res, { hub }));
  stream.close();
}).listen(0, '127.0.0.1', async () => {
  await fetch('http://127.0.0.1:' + server.address().port).then(response => response.text());
  server.close();
  console.log(JSON.stringify(failures));
});
`;

/** Each error: the name of its class, its first line, and the names of its frames in the core. */
function errorsOf(file: string, code: string, ...args: string[]) {
  writeFileSync(file, code);
  const output = execFileSync(process.execPath, [...args, file], { encoding: 'utf8', cwd: PACKED });
  return (JSON.parse(output) as [string, string][]).map(([name, text]) => {
    const [message, ...lines] = text.split('\n');
    const frames = lines.filter(line => /core\/(dist|src)\//.test(line));
    // A function of another file of the build is called as a method of its exports.
    return { name, message, frames: frames.map(line => /at (?:new |Object\.)?([\w.#]+) \(/.exec(line)?.[1]) };
  });
}

test('errors of the CommonJS build name the classes of the source', () => {
  const packed = errorsOf(join(PACKED, 'errors.cjs'), PROGRAM);
  const folder = mkdtempSync(join(root, 'test/.snippets-'));
  const source = errorsOf(join(folder, 'errors.mts'), asModule(PROGRAM), '--import', 'tsx');
  rmSync(folder, { recursive: true });
  expect(packed).toEqual(source);
  expect(packed.map(({ name }) => name)).toEqual(['TidingsError', 'TidingsError', 'TidingsError']);
  for (const { message } of packed) expect(message).toMatch(/^TidingsError: /);
  expect(packed[0]?.frames.some(name => /^[A-Z]\w+\.\w+$/.test(name ?? ''))).toBe(true);
});

test('nothing of the CommonJS builds is rewritten for an older Node.js', () => {
  for (const name of readdirSync(join(root, 'packages'))) {
    const dist = join(PACKED, 'node_modules/@tidings', name, 'dist');
    const files = readdirSync(dist).filter(file => file.endsWith('.cjs'));
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      expect(readFileSync(join(dist, file), 'utf8')).not.toMatch(
        /_optionalChain|_nullishCoalesce|\b_class\d*\b/,
      );
    }
  }
});
