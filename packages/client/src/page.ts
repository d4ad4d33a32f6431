/** What a page, or a worker of it, has. Other runtimes lack all of it, though newer ones have a `navigator`. */
interface PageScope {
  readonly document?: EventTarget & { readonly visibilityState: string; readonly baseURI: string };
  readonly location?: { readonly href: string };
  readonly navigator?: { readonly onLine?: boolean; readonly locks?: object };
  readonly BroadcastChannel?: object;
  readonly addEventListener?: EventTarget['addEventListener'];
}

/** The global object. Read at each use: tests set and remove its parts. */
export const page = globalThis as unknown as PageScope;

/** Whether this is a page or a worker of one. Only browsers say whether there is a network. */
export const isBrowser = () => page.document !== undefined || page.navigator?.onLine !== undefined;

/** Whether there is no network. */
export const isOffline = () => page.navigator?.onLine === false;

/** Whether tabs can share a connection. Newer versions of Node.js have locks and channels, too, but no tabs. */
export const canShare = () => isBrowser() && page.navigator?.locks !== undefined && page.BroadcastChannel;

/** Who is told what becomes of the page. */
export interface PageWatcher {
  /** The page is shown again, or there is a network again: a connection may have died meanwhile. */
  wake(): void;
  /** The page is frozen, left, or hidden for long. */
  suspend(): void;
}

/**
 * Watches the page. Without one, it does nothing.
 *
 * @param pauseAfter ms that a page may be hidden before it is suspended. Undefined: any time.
 * @returns a function that ends the watch.
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
      // A page that is left becomes hidden, in Firefox after `pagehide`: that wakes nothing.
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
