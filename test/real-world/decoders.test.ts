import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { openStream } from '@tidings/core/node';
import { describe, expect, test } from 'vitest';
import { listen } from '../support/server.ts';
import { describeSubject } from './subject.ts';

const PROGRAM = fileURLToPath(new URL('./client-programs/events.py', import.meta.url));
const PYTHON = '/usr/bin/python3';

/** Runs the decoder until the response has ended. Resolves with the events that it printed. */
function eventsOf(library: string, url: string): Promise<[type: string, data: string][]> {
  const child = spawn(PYTHON, [PROGRAM, library, url], { stdio: ['ignore', 'pipe', 'inherit'] });
  const events: [string, string][] = [];
  createInterface(child.stdout).on('line', line => events.push(JSON.parse(line)));
  return new Promise(resolve => child.on('close', () => resolve(events)));
}

describe.concurrent('Decoders of text', () => {
  for (const library of ['requests', 'httpx']) {
    const subject = {
      name: `${library}, Python, with the rule of httpx-sse`,
      program: PYTHON,
      versionArgs: ['-c', `import ${library}; print(${library}.__version__)`],
      needs: `/usr/lib/python3/dist-packages/${library}/__init__.py`,
    };
    describeSubject(subject, () => {
      test('text that is not ASCII, and line breaks of Unicode in JSON', async context => {
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

      test('heartbeats, comments and reconnection times are no events, before an id and after it', async context => {
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
