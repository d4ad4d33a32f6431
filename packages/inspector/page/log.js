// @ts-check
import { time } from './format.js';
import { Anonymous, html } from './ui.js';

/** @import { Incident } from '../src/samples.ts' */

/** Reasons that say that something is wrong. */
const BAD = new Set(['slow', 'stalled', 'error', 'lost', 'refused', 'failed', 'history', 'unknown', 'epoch']);

/**
 * @param {Incident} incident
 * @returns {string}
 */
function describe({ kind, reason }) {
  if (kind === 'reset') return `reset: ${reason}`;
  if (kind === 'denied') return reason === 'failed' ? 'authorize failed' : 'not authorized';
  return reason;
}

/**
 * Streams that closed or were refused, resets, and channels that streams may not follow; newest first.
 *
 * @param {{ incidents: readonly Incident[], search: string }} props
 */
export function Log({ incidents, search }) {
  const needle = search.toLowerCase();
  const found = incidents.filter(({ client, stream, reason, channels = [] }) =>
    [client, stream, reason, ...channels].some(text => text?.toLowerCase().includes(needle)),
  );
  if (found.length === 0) {
    return html`<p class="empty">${needle === '' ? 'No stream has closed, and none was reset, since this page was opened.' : `Nothing matches “${search}”.`}</p>`;
  }
  return html`<ol class="log">
    ${found.map(
      item => html`<li key=${`${item.time} ${item.number}`}>
        <time>${time(item.time)}</time>
        <span class="reason" data-bad=${BAD.has(item.reason) || undefined}>${describe(item)}</span>
        <span>${item.kind !== 'omitted' && (item.client ?? html`<${Anonymous} id=${item.stream} />`)}</span>
        <span class="channels">${item.channels?.map(name => html`<span class="chip">${name}</span>`)}</span>
      </li>`,
    )}
  </ol>`;
}
