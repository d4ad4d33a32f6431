import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createParser } from 'eventsource-parser';
import { exceptMarkers, type See, type SseClient } from './sse-client.ts';

const sourceOf = (name: string) => fileURLToPath(new URL(`./client-programs/${name}`, import.meta.url));

/** None outlives the tests, whatever becomes of them. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const program of running) program.kill('SIGKILL');
});

function start(program: string, args: string[]) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  running.add(child);
  const exited = new Promise<void>(resolve => {
    child.on('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  return { child, exited };
}

const LINES = 'Returns lines: the test parses them, and reconnects with the last id';

/** For a program that writes a response as it comes: started again when the response is over. */
const followByLines =
  (program: string, argsOf: (url: string, lastEventId: string) => string[]) => (url: string, see: See) => {
    const seeOwn = exceptMarkers(see);
    let lastId = '';
    let isLeft = false;
    let current = run();

    function run() {
      const { child, exited } = start(program, argsOf(url, lastId));
      const parser = createParser({
        onEvent({ event = 'message', data, id = lastId }) {
          lastId = id;
          seeOwn(event, data);
        },
      });
      child.stdout.setEncoding('utf8').on('data', (text: string) => parser.feed(text));
      child.on('close', () => {
        if (!isLeft) current = run();
      });
      return { child, exited };
    }

    return () => {
      isLeft = true;
      current.child.kill('SIGKILL');
      return current.exited;
    };
  };

const PYTHON = '/usr/bin/python3';

const python = (library: string): SseClient => ({
  name: `${library}, Python`,
  program: PYTHON,
  versionArgs: ['-c', `import ${library}; print(${library}.__version__)`],
  needs: `/usr/lib/python3/dist-packages/${library}/__init__.py`,
  note: LINES,
  follow: followByLines(PYTHON, (...args) => [sourceOf('lines.py'), library, ...args]),
});

/** Programs that are compiled, each when it is first asked for. */
const compiled = new Map<string, Promise<string>>();

/** Resolves with a folder that has what `compile` puts there. */
function compileOnce(name: string, compile: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = compiled.get(name) ?? inNewFolder(name, compile);
  compiled.set(name, folder);
  return folder;
}

async function inNewFolder(name: string, compile: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), `tidings-${name}-`));
  await compile(folder);
  return folder;
}

const goProgram = () =>
  compileOnce('go', folder =>
    promisify(execFile)('/usr/bin/go', ['build', '-o', join(folder, 'follow'), sourceOf('follow.go')], {
      env: {
        PATH: process.env.PATH,
        GO111MODULE: 'off',
        GOPATH: '/usr/share/gocode',
        GOCACHE: join(folder, 'cache'),
      },
    }),
  );

const javaProgram = () =>
  compileOnce('java', folder => promisify(execFile)('/usr/bin/javac', ['-d', folder, sourceOf('Body.java')]));

export async function removeCompiledPrograms(): Promise<void> {
  for (const folder of compiled.values()) rmSync(await folder, { recursive: true });
}

/** They run in processes of their own. */
export const programClients: SseClient[] = [
  {
    name: 'donovanhide/eventsource, Go',
    program: '/usr/bin/go',
    versionArgs: ['version'],
    needs: '/usr/share/gocode/src/github.com/donovanhide/eventsource',
    note: 'Shows every event, including position markers (`tidings`), and an event without name and data for `retry`: ignore both',
    async follow(url, see) {
      const seeOwn = exceptMarkers(see);
      const { child, exited } = start(join(await goProgram(), 'follow'), [url]);
      createInterface(child.stdout).on('line', line => {
        const [type, data] = JSON.parse(line) as [string, string];
        if (type !== '' || data !== '') seeOwn(type || 'message', data);
      });
      return () => {
        child.kill('SIGKILL');
        return exited;
      };
    },
  },
  {
    name: 'curl',
    program: '/usr/bin/curl',
    note: LINES,
    follow: followByLines('/usr/bin/curl', (url, lastEventId) => [
      ...[
        '--silent',
        '--no-buffer',
        '--compressed',
        '--header',
        `Last-Event-ID:${lastEventId && ` ${lastEventId}`}`,
      ],
      url,
    ]),
  },
  python('requests'),
  python('httpx'),
  { ...python('aiohttp'), longestLine: 64 * 1024, note: `${LINES}. Reads lines of up to 64 KiB` },
  {
    name: 'Mojo::UserAgent, Perl',
    program: '/usr/bin/perl',
    note: LINES,
    versionArgs: ['-MMojolicious', '-e', 'print Mojolicious->VERSION'],
    needs: '/usr/share/perl5/Mojolicious.pm',
    follow: followByLines('/usr/bin/perl', (...args) => [sourceOf('lines.pl'), ...args]),
  },
  {
    name: 'Net::HTTP, Ruby',
    program: '/usr/bin/ruby',
    note: `${LINES}. Repeats an aborted request unchanged, unless \`max_retries\` is 0. Send \`Accept-Encoding: identity\`: compressed text arrives late`,
    follow: followByLines('/usr/bin/ruby', (...args) => [sourceOf('lines.rb'), ...args]),
  },
  {
    name: 'fopen, PHP',
    program: '/usr/bin/php',
    note: `${LINES}. Use HTTP/1.0: PHP buffers chunked responses`,
    follow: followByLines('/usr/bin/php', (...args) => [sourceOf('lines.php'), ...args]),
  },
  {
    name: 'java.net.http, Java',
    program: '/usr/bin/java',
    note: `${LINES}. Decodes gzip through a \`GZIPInputStream\``,
    needs: '/usr/bin/javac',
    async follow(url, see) {
      const folder = await javaProgram();
      return followByLines('/usr/bin/java', (...args) => ['-cp', folder, 'Body', ...args])(url, see);
    },
  },
];
