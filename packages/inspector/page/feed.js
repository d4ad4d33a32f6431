// @ts-check
import { useEffect, useState } from 'preact/hooks';

/** @import { ProcessRow } from '../src/process-list.ts' */
/** @import { Sample, Incident } from '../src/samples.ts' */
/** @import { TailEvent } from '../src/tail.ts' */
/** @typedef {'connecting' | 'live' | 'away' | 'refused'} State */

const SAMPLES_KEPT = 120;
const INCIDENTS_KEPT = 300;

/** ms until a stream that the browser has given up is opened again. */
const RETRY = 3_000;

/**
 * Follows a stream of the server. A browser gives up after a response that is none, such as that of a proxy whose server
 * restarts; this does not.
 *
 * @param {string} path
 * @param {Record<string, (data: string) => void>} handlers by the name of the event
 * @param {(state: State) => void} [onState]
 * @returns {() => void} ends it
 */
function follow(path, handlers, onState = () => {}) {
  /** @type {EventSource} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let isOver = false;
  const open = () => {
    source = new EventSource(path);
    source.onopen = () => onState('live');
    source.onerror = async () => {
      if (source.readyState !== EventSource.CLOSED) {
        onState('away');
        return;
      }
      timer = setTimeout(open, RETRY);
      const isRefused = await fetch('./', { method: 'HEAD' }).then(
        ({ status }) => status === 401 || status === 403,
        () => false,
      );
      if (!isOver) onState(isRefused ? 'refused' : 'away');
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, ({ data }) => handle(data));
    }
  };
  open();
  return () => {
    isOver = true;
    clearTimeout(timer);
    source.close();
  };
}

/**
 * Follows a stream while the page is visible. A browser has six connections to a server over HTTP/1.1, for all tabs.
 *
 * @param {string} path
 * @param {Record<string, (data: string) => void>} handlers
 * @param {number} delay ms until it begins
 */
function followWhileVisible(path, handlers, delay) {
  let end = () => {};
  const change = () => {
    end();
    end = document.hidden ? () => {} : follow(path, handlers);
  };
  const timer = setTimeout(() => {
    change();
    document.addEventListener('visibilitychange', change);
  }, delay);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', change);
    end();
  };
}

/**
 * What the hub is and does, and what has happened to its streams.
 *
 * @returns {{
 *   state: State,
 *   samples: readonly Sample[],
 *   incidents: readonly Incident[],
 *   processes: readonly ProcessRow[] | undefined,
 * }}
 */
export function useFeed() {
  const [state, setState] = useState(/** @type {State} */ ('connecting'));
  const [samples, setSamples] = useState(/** @type {readonly Sample[]} */ ([]));
  const [incidents, setIncidents] = useState(/** @type {readonly Incident[]} */ ([]));
  const [processes, setProcesses] = useState(/** @type {readonly ProcessRow[] | undefined} */ (undefined));
  useEffect(() => {
    const message = (/** @type {string} */ data) => {
      const item = JSON.parse(data);
      // A stream that was opened again begins with what is here.
      if ('stats' in item) {
        setSamples(kept => (isNewer(item, kept.at(-1)) ? [...kept, item].slice(-SAMPLES_KEPT) : kept));
      } else {
        setIncidents(kept => (isNewer(item, kept[0]) ? [item, ...kept].slice(0, INCIDENTS_KEPT) : kept));
      }
    };
    const list = (/** @type {string} */ data) => setProcesses(JSON.parse(data));
    return follow('feed', { message, processes: list }, setState);
  }, []);
  return { state, samples, incidents, processes };
}

/**
 * @param {{ time: number, number?: number }} item
 * @param {{ time: number, number?: number } | undefined} newest
 */
function isNewer({ time, number = 0 }, newest) {
  if (newest === undefined) return true;
  return time > newest.time || (time === newest.time && number > (newest.number ?? 0));
}

/**
 * The rows of a table that are in view, updated once a second.
 *
 * @template Row
 * @param {Record<string, string | number>} view
 * @returns {{ total: number, offset: number, rows: readonly Row[] }}
 */
export function useRows(view) {
  const [rows, setRows] = useState({ total: 0, offset: 0, rows: /** @type {readonly Row[]} */ ([]) });
  const query = new URLSearchParams(
    Object.entries(view).map(([name, value]) => [name, String(value)]),
  ).toString();
  useEffect(() => {
    const show = (/** @type {string} */ data) => setRows(JSON.parse(data));
    // Scrolling and typing change the view many times a second.
    return followWhileVisible(`rows?${query}`, { message: show }, 80);
  }, [query]);
  return rows;
}

/**
 * The events of a channel, newest first.
 *
 * @param {string} channel
 * @param {boolean} isPaused
 */
export function useTail(channel, isPaused) {
  const [events, setEvents] = useState(/** @type {readonly TailEvent[]} */ ([]));
  useEffect(() => {
    if (isPaused) return;
    setEvents([]);
    const add = (/** @type {string} */ data) => {
      /** @type {readonly TailEvent[]} */
      const newest = JSON.parse(data);
      setEvents(kept => {
        // A stream that was opened again begins with events that are here.
        const known = new Set(kept.map(({ id }) => id));
        const added = newest.filter(({ id }) => id === undefined || !known.has(id));
        return [...added.reverse(), ...kept].slice(0, 200);
      });
    };
    return followWhileVisible(`tail?channel=${encodeURIComponent(channel)}`, { message: add }, 0);
  }, [channel, isPaused]);
  return events;
}

/**
 * @param {{ stream: string } | { client: string }} who
 * @returns {Promise<string>} what the server says
 */
export async function disconnect(who) {
  const answer = await fetch(`disconnect?${new URLSearchParams(who)}`, {
    method: 'POST',
    headers: { 'x-tidings-inspector': '1' },
  });
  return answer.text();
}
