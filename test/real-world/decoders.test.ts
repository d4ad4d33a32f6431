import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { describe, expect, test } from 'vitest';
import { eventually, request } from '../support/client.ts';
import { listen } from '../support/server.ts';
import { describeSubject, type Subject } from './subject.ts';

const sourceOf = (name: string) => fileURLToPath(new URL(`./client-programs/${name}`, import.meta.url));
const PYTHON = '/usr/bin/python3';

const python = (library: string) => ({
  program: PYTHON,
  versionArgs: ['-c', `import ${library}; print(${library}.__version__)`],
  needs: `/usr/lib/python3/dist-packages/${library}/__init__.py`,
});

/** Runs the decoder until the response has ended. Resolves with the events that it printed. */
function eventsOf(library: string, url: string): Promise<[type: string, data: string][]> {
  const child = spawn(PYTHON, [sourceOf('events.py'), library, url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const events: [string, string][] = [];
  createInterface(child.stdout).on('line', line => events.push(JSON.parse(line)));
  return new Promise(resolve => child.on('close', () => resolve(events)));
}

describe.concurrent('Decoders of text', () => {
  for (const library of ['requests', 'httpx']) {
    const name = `${library}, Python, with the rule of httpx-sse`;
    describeSubject({ name, ...python(library) }, () => {
      test('non-ASCII text, and Unicode line breaks in JSON', async context => {
        const data = { text: 'ü ✓ 😀', breaks: '\u0085\u2028\u2029' };
        const server = await listen((req, res) => {
          const stream = openStream(req, res, { hub: createHub(), markers: false });
          stream.send(data);
          stream.close();
        });
        context.onTestFinished(server.kill);
        const events = await eventsOf(library, server.origin);
        expect(events.map(([type, text]) => [type, JSON.parse(text)])).toEqual([['message', data]]);
      });

      test('heartbeats, comments and reconnection times are not events, before and after an id', async context => {
        const hub = createHub({ heartbeat: 30 });
        const server = await listen(async (req, res) => {
          const stream = openStream(req, res, { hub, retry: 50 });
          stream.subscribe('news');
          stream.comment('first');
          for (const n of [1, 2]) {
            await new Promise(resolve => setTimeout(resolve, 100));
            await hub.publish('news', n);
            stream.comment('between');
          }
          await new Promise(resolve => setTimeout(resolve, 100));
          await hub.close({ retry: [1, 1] });
        });
        context.onTestFinished(server.kill);
        const events = await eventsOf(library, server.origin);
        // Markers have a name, by which a program ignores them.
        const shown = events.filter(([type]) => type !== 'tidings');
        expect(shown).toEqual([
          ['message', '1'],
          ['message', '2'],
        ]);
      });
    });
  }
});

/** Writes the decoded body of a response to stdout. */
interface Decoder extends Subject {
  program: string;
  argsOf(url: string): string[];
}

const gzipDecoders: Decoder[] = [
  ...['requests', 'httpx', 'aiohttp'].map(library => ({
    name: `${library}, Python`,
    ...python(library),
    argsOf: (url: string) => [sourceOf('body.py'), library, url],
  })),
  { name: 'curl', program: '/usr/bin/curl', argsOf: url => ['--silent', '--no-buffer', '--compressed', url] },
  {
    name: 'GZIPInputStream of java.net.http, Java',
    program: '/usr/bin/java',
    // It compiles the source.
    needs: '/usr/bin/javac',
    argsOf: url => [sourceOf('Body.java'), url],
  },
];

/** Runs a program until it ends, and fails if it does. Resolves with its output. */
function outputOf(program: string, args: string[]): Promise<Buffer> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', chunk => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('close', code => {
      if (code === 0) resolve(Buffer.concat(chunks));
      else reject(new Error(`${program} has ended, with ${code}`));
    });
  });
}

describe.concurrent('Decoders of gzip', () => {
  for (const decoder of gzipDecoders) {
    describeSubject(decoder, () => {
      test('a compressed response is decoded to the bytes of an uncompressed one, and to its end', async context => {
        const hub = createHub({ compression: { minStreams: 1 } });
        const accepted: (string | undefined)[] = [];
        const server = await listen((req, res) => {
          accepted.push(req.headers['accept-encoding']);
          openStream(req, res, { hub, retry: 50, markers: false }).subscribe(['rows', 'other']);
        });
        context.onTestFinished(server.kill);
        const plain = await request(server.origin, '/');
        const output = outputOf(decoder.program, decoder.argsOf(server.origin));
        await eventually(() => hub.streams.size === 2);
        // Each event that is not compressed, and each of another channel, is an interruption: what follows refers to less.
        for (let n = 1; n <= 60; n++) {
          await hub.publish('rows', `<tr id="row-${n}"><td>Größe ${n} ✓ 😀</td></tr>`);
          await plain.until(({ events }) => events.at(-1)?.data.startsWith(`<tr id="row-${n}"`) === true);
          for (const stream of hub.streams) {
            if (n % 20 === 0) stream.comment('aside');
            if (n % 13 === 0) stream.send({ n });
          }
          if (n % 9 === 0) await hub.publish('other', n);
          if (n === 40) await hub.publish('rows', 'x'.repeat(200_000));
        }
        for (const stream of hub.streams) stream.close();
        expect(accepted).toEqual([undefined, expect.stringContaining('gzip')]);
        expect(await plain.ended).toBe(true);
        expect((await output).toString('latin1')).toBe(plain.body.toString('latin1'));
      });
    });
  }
});
