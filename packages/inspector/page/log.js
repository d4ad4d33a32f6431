// @ts-check
import { time } from './format.js';
import { html } from './ui.js';

/** @import { Incident } from '../src/samples.ts' */

/** Reasons that say that something is wrong. */
const BAD = new Set(['slow', 'stalled', 'error', 'lost', 'refused', 'history', 'unknown', 'epoch']);

/**
 * Streams that closed or were refused, and resets; newest first.
 *
 * @param {{ incidents: readonly Incident[], search: string }} props
 */
export function Log({ incidents, search }) {
  const needle = search.toLowerCase();
  const found = incidents.filter(item => JSON.stringify(Object.values(item)).toLowerCase().includes(needle));
  if (found.length === 0) {
    return html`<p class="empty">${needle === '' ? 'No stream has closed, and none was reset, since this page was opened.' : `Nothing matches “${search}”.`}</p>`;
  }
  return html`<ol class="log">
    ${found.map(
      item => html`<li key=${`${item.time}${item.kind}${item.stream}`}>
        <time>${time(item.time)}</time>
        <span class="reason" data-bad=${BAD.has(item.reason) || undefined}>${item.kind === 'reset' ? `reset: ${item.reason}` : item.reason}</span>
        <span>${item.client ?? html`<code>${item.stream.slice(0, 8)}</code>`}</span>
        <span>${item.channels?.map(name => html`<span class="chip">${name}</span>`)}</span>
      </li>`,
    )}
  </ol>`;
}
