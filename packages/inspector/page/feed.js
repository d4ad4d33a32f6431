// @ts-check
import { useEffect, useState } from 'preact/hooks';

/** @import { Sample, Incident } from '../src/samples.ts' */
/** @import { TailEvent } from '../src/tail.ts' */
/** @typedef {'connecting' | 'live' | 'away' | 'refused'} State */

const SAMPLES_KEPT = 120;
const INCIDENTS_KEPT = 300;

/**
 * What the hub is and does, and what has happened to its streams.
 *
 * @returns {{ state: State, samples: readonly Sample[], incidents: readonly Incident[] }}
 */
export function useFeed() {
  const [state, setState] = useState(/** @type {State} */ ('connecting'));
  const [samples, setSamples] = useState(/** @type {readonly Sample[]} */ ([]));
  const [incidents, setIncidents] = useState(/** @type {readonly Incident[]} */ ([]));
  useEffect(() => {
    const source = new EventSource('feed');
    source.onopen = () => setState('live');
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? 'refused' : 'away');
    source.onmessage = ({ data }) => {
      const item = JSON.parse(data);
      if ('stats' in item) setSamples(kept => [...kept, item].slice(-SAMPLES_KEPT));
      else setIncidents(kept => [item, ...kept].slice(0, INCIDENTS_KEPT));
    };
    return () => source.close();
  }, []);
  return { state, samples, incidents };
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
    /** @type {EventSource | undefined} */
    let source;
    // Scrolling and typing change the view many times a second.
    const timer = setTimeout(() => {
      source = new EventSource(`rows?${query}`);
      source.onmessage = ({ data }) => setRows(JSON.parse(data));
    }, 80);
    return () => {
      clearTimeout(timer);
      source?.close();
    };
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
    const source = new EventSource(`tail?channel=${encodeURIComponent(channel)}`);
    source.onmessage = ({ data }) =>
      setEvents(kept => [...JSON.parse(data).reverse(), ...kept].slice(0, 200));
    return () => source.close();
  }, [channel, isPaused]);
  return events;
}

/**
 * @param {string} who a client, or the id of a stream
 * @returns {Promise<string>} what the server says
 */
export async function disconnect(who) {
  const answer = await fetch(`disconnect?who=${encodeURIComponent(who)}`, {
    method: 'POST',
    headers: { 'x-tidings-inspector': '1' },
  });
  return answer.text();
}
