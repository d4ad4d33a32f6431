// @ts-check
import { decimal, duration, number } from './format.js';
import { html } from './ui.js';

/** @import { ProcessRow } from '../src/process-list.ts' */

/** ms after which it is worth a word: a process reports every 5 s. */
const LONG_SILENCE = 8_000;

/**
 * The processes that share the hub's broker.
 *
 * @param {{ processes: readonly ProcessRow[], search: string }} props
 */
export function Processes({ processes, search }) {
  const needle = search.toLowerCase();
  const found = processes.filter(({ id, host, pid }) =>
    [id, host, pid === undefined ? undefined : String(pid)].some(text =>
      text?.toLowerCase().includes(needle),
    ),
  );
  return html`<div class="table" tabindex="0" aria-label="${number(found.length)} processes">
    <table>
      <thead>
        <tr>
          <th scope="col"><span>Process</span></th>
          <th scope="col" data-number><span>Streams</span></th>
          <th scope="col" data-number data-wide><span>Clients</span></th>
          <th scope="col" data-number data-wide><span>Published</span></th>
          <th scope="col" data-number><span>Delivered</span></th>
          <th scope="col" data-number data-wide><span>Slow</span></th>
          <th scope="col" data-number data-wide><span>Longest hold</span></th>
          <th scope="col" data-number><span>Broker lag</span></th>
        </tr>
      </thead>
      <tbody>
        ${found.map(row => html`<${Process} key=${row.id} row=${row} />`)}
      </tbody>
    </table>
    ${found.length === 0 && html`<p class="empty">Nothing matches “${search}”.</p>`}
  </div>`;
}

/** @param {{ row: ProcessRow }} props */
function Process({ row }) {
  const isSilent = row.silence > LONG_SILENCE;
  return html`<tr class="process" data-silent=${isSilent || undefined}>
    <td title=${row.id}>
      ${row.host} ${row.pid === undefined ? row.id.slice(0, 8) : `pid ${row.pid}`}
      <span class="quiet">${row.isOwn ? ' this page' : isSilent ? ` silent for ${duration(row.silence)}` : ''}</span>
    </td>
    <td data-number>${number(row.streams)}</td>
    <td data-number data-wide>${number(row.clients)}</td>
    <td data-number data-wide><${Rate} value=${row.published} /></td>
    <td data-number><${Rate} value=${row.delivered} /></td>
    <td data-number data-wide>${row.lagging === 0 ? html`<span class="quiet">—</span>` : html`<span class="alert">${number(row.lagging)}</span>`}</td>
    <td data-number data-wide>${decimal(row.hold)} ms</td>
    <td data-number>${row.connected ? duration(row.brokerLag) : html`<span class="alert">away</span>`}</td>
  </tr>`;
}

/** @param {{ value: number | undefined }} props */
function Rate({ value }) {
  return value === undefined
    ? html`<span class="quiet">—</span>`
    : html`${decimal(value)}<span class="unit">/s</span>`;
}
