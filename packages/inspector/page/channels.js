// @ts-check
import { bytes, decimal, number } from './format.js';
import { Table } from './table.js';
import { html } from './ui.js';

/** @import { ChannelRow } from '../src/rows.ts' */
/** @import { Column } from './table.js' */

/** @type {readonly Column<ChannelRow>[]} */
const COLUMNS = [
  { title: 'Channel', sort: 'name', cell: ({ name }) => html`<span class="name">${name}</span>` },
  { title: 'Streams', sort: 'subscribers', isNumber: true, cell: ({ subscribers }) => number(subscribers) },
  { title: 'Events a second', sort: 'published', isNumber: true, cell: ({ rate }) => decimal(rate) },
  {
    title: 'Retained',
    sort: 'retained',
    isNumber: true,
    isWide: true,
    cell: ({ retained }) => number(retained),
  },
  { title: 'History', sort: 'bytes', isNumber: true, cell: ({ retainedBytes }) => bytes(retainedBytes) },
];

/** @param {{ search: string, selected: string | undefined, onSelect: (row: ChannelRow) => void }} props */
export function Channels(props) {
  return html`<${Table}
    table="channels"
    columns=${COLUMNS}
    keyOf=${(/** @type {ChannelRow} */ { name }) => name}
    sort="subscribers"
    empty="No channel is in memory."
    ...${props}
  />`;
}
