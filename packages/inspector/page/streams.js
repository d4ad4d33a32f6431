// @ts-check
import { bytes, duration, number } from './format.js';
import { Table } from './table.js';
import { Anonymous, html } from './ui.js';

/** @import { StreamRow } from '../src/rows.ts' */
/** @import { Column } from './table.js' */

/** @type {readonly Column<StreamRow>[]} */
const COLUMNS = [
  {
    title: 'Client',
    sort: 'client',
    cell: ({ client, id }) => client ?? html`<${Anonymous} id=${id} />`,
  },
  {
    title: 'Data',
    isWide: true,
    isExtra: true,
    isUsed: rows => rows.some(({ data }) => data !== undefined),
    cell: ({ data }) => data !== undefined && html`<code title=${data}>${data.slice(0, 200)}</code>`,
  },
  { title: 'Channels', sort: 'channels', isWide: true, cell: row => html`<${Channels} row=${row} />` },
  { title: 'Age', sort: 'age', isNumber: true, cell: ({ age }) => duration(age) },
  { title: 'Behind', sort: 'lag', isNumber: true, cell: row => html`<${Lag} row=${row} />` },
  { title: 'Buffered', sort: 'buffered', isNumber: true, cell: ({ bufferedBytes }) => bytes(bufferedBytes) },
  { title: 'Protocol', isWide: true, isExtra: true, cell: ({ protocol }) => protocol },
];

/** @param {{ search: string, selected: string | undefined, onSelect: (row: StreamRow) => void }} props */
export function Streams(props) {
  return html`<${Table}
    table="streams"
    columns=${COLUMNS}
    keyOf=${(/** @type {StreamRow} */ { name }) => name}
    sort="age"
    empty="No stream is open."
    ...${props}
  />`;
}

/** @param {{ row: StreamRow }} props */
function Channels({ row: { channels, channelCount } }) {
  const more = channelCount - Math.min(channels.length, 3);
  return html`<div class="some">
    ${channels.slice(0, 3).map(name => html`<span class="chip">${name}</span>`)}
    ${more > 0 && html`<span class="more">+${number(more)}</span>`}
  </div>`;
}

/** @param {{ row: StreamRow }} props */
function Lag({ row: { lagEvents, lagAge } }) {
  if (lagEvents === 0) return html`<span class="quiet">—</span>`;
  return html`<span class="alert">${number(lagEvents)} events, ${duration(lagAge)}</span>`;
}
