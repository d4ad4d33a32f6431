/** The globals of a page or its worker. Other runtimes lack them, except that newer ones have a `navigator`. */
interface PageScope {
  readonly document?: EventTarget & { readonly visibilityState: string; readonly baseURI: string };
  readonly location?: { readonly href: string };
  readonly navigator?: { readonly onLine?: boolean; readonly locks?: object };
  readonly BroadcastChannel?: object;
  readonly addEventListener?: EventTarget['addEventListener'];
}

/** The global object. Read at each use: tests set and remove its parts. */
export const page = globalThis as unknown as PageScope;

/** Whether this is a page or a worker of a page. Only browsers have `navigator.onLine`. */
export const isBrowser = () => page.document !== undefined || page.navigator?.onLine !== undefined;

/** Whether there is no network. */
export const isOffline = () => page.navigator?.onLine === false;

/** Whether tabs can share a connection. Newer versions of Node.js also have locks and BroadcastChannel, but no tabs. */
export const canShare = () => isBrowser() && page.navigator?.locks !== undefined && page.BroadcastChannel;

/** The callbacks of {@link watchPage}. */
export interface PageWatcher {
  /** The page is shown again, or the browser is online again. The connection may have died meanwhile. */
  wake(): void;
  /** The page was frozen or left, or was hidden for `pauseAfter`. */
  suspend(): void;
}

/**
 * Watches the page. Without a page, it does nothing.
 *
 * @param pauseAfter ms after which a hidden page is suspended. Undefined: never.
 * @returns a function that stops watching.
 */
export function watchPage(watcher: PageWatcher, pauseAfter: number | undefined): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = (
    target: Pick<EventTarget, 'addEventListener'>,
    names: string[],
    listener: () => unknown,
  ) => {
    for (const name of names) target.addEventListener(name, listener, { signal });
  };
  const { document } = page;
  const isPaused = () => pauseAfter !== undefined && document?.visibilityState === 'hidden';
  const wake = () => isPaused() || watcher.wake();
  const suspend = () => watcher.suspend();
  if (document) {
    const show = () => {
      clearTimeout(timer);
      // A page that is left becomes hidden; in Firefox, after `pagehide`. This must not call `wake`.
      if (document.visibilityState !== 'hidden') wake();
      else if (pauseAfter !== undefined) timer = setTimeout(suspend, pauseAfter);
    };
    listen(document, ['visibilitychange'], show);
    listen(document, ['resume'], wake);
    listen(document, ['freeze'], suspend);
    show();
  }
  if (page.addEventListener && isBrowser()) {
    const target = page as Pick<EventTarget, 'addEventListener'>;
    listen(target, ['online', 'pageshow'], wake);
    listen(target, ['pagehide'], suspend);
  }
  return () => {
    clearTimeout(timer);
    controller.abort();
  };
}
