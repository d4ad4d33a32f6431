import { type ChildProcess, spawn } from 'node:child_process';
import { type Browser, launch, type Page as PuppeteerPage } from 'puppeteer-core';
import { freePort } from '../support/server.ts';

/** Each window has two pages for its address bar, which took a quarter of the CPU time of these tests. */
const CHROMIUM_ARGS = ['--no-sandbox', '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup'];

/** One page of a real browser. */
export interface Page {
  open(url: string): Promise<void>;
  /** The value of an expression. */
  evaluate<T>(expression: string): Promise<T>;
  back(): Promise<void>;
  /** Nobody sees it, while something is done. */
  whileHidden(action: () => Promise<void>): Promise<void>;
  /** Another page of the same browser. */
  newTab(): Promise<Page>;
  /** Of the first page: ends the browser. */
  close(): Promise<void>;
}

export interface BrowserDriver {
  name: string;
  program: string;
  /** A page that was left goes on behind the scenes, with its streams, until it is come back to. */
  keepsPages?: boolean;
  start(): Promise<Page>;
}

function driveWithPuppeteer(browser: 'chrome' | 'firefox', executablePath: string) {
  return async (): Promise<Page> => {
    const process = await launch({
      browser,
      executablePath,
      headless: true,
      acceptInsecureCerts: true,
      args: browser === 'chrome' ? CHROMIUM_ARGS : [],
    });
    const page = pageOf(await process.newPage(), process);
    return { ...page, close: () => process.close() };
  };
}

function pageOf(page: PuppeteerPage, browser: Browser): Page {
  return {
    open: async url => void (await page.goto(url)),
    evaluate: expression => page.evaluate(expression) as Promise<never>,
    back: async () => void (await page.goBack()),
    async whileHidden(action) {
      const other = await browser.newPage();
      await other.bringToFront();
      await action();
      await page.bringToFront();
      await other.close();
    },
    newTab: async () => pageOf(await browser.newPage(), browser),
    close: () => page.close(),
  };
}

/** WebKit has a driver of its own, which speaks WebDriver. */
async function startWebKit(): Promise<Page> {
  const port = await freePort();
  const driver = spawn('xvfb-run', ['-a', WEBKIT, `--port=${port}`], {
    stdio: 'ignore',
    // A process group of its own, to end with all that it has started.
    detached: true,
  });
  const command = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      body: body === undefined ? null : JSON.stringify(body),
    });
    const { value } = (await response.json()) as { value: T };
    if (!response.ok) throw new Error(JSON.stringify(value));
    return value;
  };
  try {
    await untilReady(() => command('GET', '/status'), driver);
    const { sessionId } = await command<{ sessionId: string }>('POST', '/session', {
      capabilities: { alwaysMatch: { acceptInsecureCerts: true } },
    });
    const session = `/session/${sessionId}`;
    /** Each command is for the window that was switched to last. */
    const tabOf = (handle: string): Page => {
      const run = async <T>(method: string, path: string, body?: object): Promise<T> => {
        await command('POST', `${session}/window`, { handle });
        return command(method, session + path, body);
      };
      return {
        open: url => run('POST', '/url', { url }),
        evaluate: expression => run('POST', '/execute/sync', { script: `return ${expression}`, args: [] }),
        back: () => run('POST', '/back', {}),
        async whileHidden(action) {
          const rect = await run('GET', '/window/rect');
          await run('POST', '/window/minimize', {});
          await action();
          await run('POST', '/window/rect', rect as object);
        },
        async newTab() {
          const other = await run<{ handle: string }>('POST', '/window/new', { type: 'tab' });
          return tabOf(other.handle);
        },
        close: () => run('DELETE', '/window'),
      };
    };
    return {
      ...tabOf(await command('GET', `${session}/window`)),
      async close() {
        await command('DELETE', session).catch(() => {});
        end(driver);
      },
    };
  } catch (error) {
    end(driver);
    throw error;
  }
}

async function untilReady(ask: () => Promise<unknown>, driver: ChildProcess): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (driver.exitCode !== null) throw error;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }
}

function end({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid, 'SIGTERM');
}

const CHROMIUM = '/usr/bin/chromium';
const FIREFOX = '/usr/bin/firefox-esr';
const WEBKIT = '/usr/bin/WebKitWebDriver';

export const browsers: BrowserDriver[] = [
  { name: 'Chromium', program: CHROMIUM, keepsPages: true, start: driveWithPuppeteer('chrome', CHROMIUM) },
  { name: 'Firefox', program: FIREFOX, start: driveWithPuppeteer('firefox', FIREFOX) },
  { name: 'WebKitGTK', program: WEBKIT, start: startWebKit },
];
