// @ts-check
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useRows } from './feed.js';
import { number } from './format.js';
import { html } from './ui.js';

/**
 * @template Row
 * @typedef {{
 *   title: string,
 *   sort?: string,
 *   isNumber?: boolean,
 *   isWide?: boolean,
 *   isExtra?: boolean,
 *   isUsed?: (rows: readonly Row[]) => boolean,
 *   cell: (row: Row) => unknown,
 * }} Column
 */

const ROW_HEIGHT = 36;
/** Rows above and below what is in view. */
const MARGIN = 20;

/**
 * A table of any length. Only the rows in view are in the page, and only those are sent to it.
 *
 * @template Row
 * @param {{
 *   table: 'streams' | 'channels',
 *   columns: readonly Column<Row>[],
 *   keyOf: (row: Row) => string,
 *   search: string,
 *   sort: string,
 *   selected: string | undefined,
 *   onSelect: (row: Row) => void,
 *   empty: string,
 * }} props
 */
export function Table({ table, columns, keyOf, search, sort, selected, onSelect, empty }) {
  const [order, setOrder] = useState({ sort, isDescending: true });
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(400);
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = Math.ceil(height / ROW_HEIGHT);
  const offset = Math.max(0, first - MARGIN);
  const view = {
    table,
    search,
    sort: order.sort,
    order: order.isDescending ? 'desc' : 'asc',
    offset,
    limit: shown + 2 * MARGIN,
  };
  const { total, offset: rowsFrom, rows } = /** @type {ReturnType<typeof useRows<Row>>} */ (useRows(view));

  useLayoutEffect(() => {
    const element = /** @type {HTMLElement} */ (scroller.current);
    const sizes = new ResizeObserver(() => setHeight(element.clientHeight));
    sizes.observe(element);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => scroller.current?.scrollTo(0, 0), [search, order]);

  // Passes on the new data of the selected row. An effect would run after the next paint, when the user may have closed the
  // details, and would open them again.
  useLayoutEffect(() => {
    const current = rows.find(row => keyOf(row) === selected);
    if (current !== undefined) onSelect(current);
  }, [rows]);

  const onScroll = () => {
    const row = Math.floor((scroller.current?.scrollTop ?? 0) / ROW_HEIGHT);
    // In steps: each step is another view for the server.
    setFirst(row - (row % (MARGIN / 2)));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    const at = rows.findIndex(row => keyOf(row) === selected);
    const next = rows[at + (event.key === 'ArrowDown' ? 1 : -1)] ?? rows[0];
    if (next === undefined) return;
    onSelect(next);
    const top = (rowsFrom + rows.indexOf(next)) * ROW_HEIGHT;
    const element = /** @type {HTMLElement} */ (scroller.current);
    if (top < element.scrollTop) element.scrollTo(0, top);
    else if (top + 2 * ROW_HEIGHT > element.scrollTop + element.clientHeight) element.scrollBy(0, ROW_HEIGHT);
  };

  const used = columns.filter(({ isUsed }) => isUsed === undefined || isUsed(rows));
  return html`<div class="table" ref=${scroller} tabindex="0" onScroll=${onScroll} onKeyDown=${onKeyDown}
    aria-label="${number(total)} ${table}">
    <table>
      <thead>
        <tr>
          ${used.map(
            column => html`<th scope="col" data-wide=${column.isWide || undefined} data-extra=${column.isExtra || undefined} data-number=${column.isNumber || undefined}
              aria-sort=${ariaSort(column, order)}>
              <${Heading} column=${column} order=${order} onOrder=${setOrder} />
            </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        <tr style=${{ height: `${rowsFrom * ROW_HEIGHT}px` }} aria-hidden="true"></tr>
        ${rows.map(
          row => html`<tr key=${keyOf(row)} class="row" aria-selected=${keyOf(row) === selected} onClick=${() => onSelect(row)}>
            ${used.map(
              column => html`<td data-wide=${column.isWide || undefined} data-extra=${column.isExtra || undefined} data-number=${column.isNumber || undefined}>
                ${column.cell(row)}
              </td>`,
            )}
          </tr>`,
        )}
        <tr style=${{ height: `${Math.max(0, total - rowsFrom - rows.length) * ROW_HEIGHT}px` }} aria-hidden="true"></tr>
      </tbody>
    </table>
    ${total === 0 && html`<p class="empty">${search === '' ? empty : `Nothing matches “${search}”.`}</p>`}
  </div>`;
}

/**
 * @param {{
 *   column: Column<never>,
 *   order: { sort: string, isDescending: boolean },
 *   onOrder: (order: { sort: string, isDescending: boolean }) => void,
 * }} props
 */
function Heading({ column: { title, sort }, order, onOrder }) {
  if (sort === undefined) return html`<span>${title}</span>`;
  const isSorted = order.sort === sort;
  const arrow = isSorted ? (order.isDescending ? ' ↓' : ' ↑') : '';
  const next = { sort, isDescending: isSorted ? !order.isDescending : true };
  return html`<button type="button" onClick=${() => onOrder(next)}>${title}<i>${arrow}</i></button>`;
}

/**
 * @param {Column<never>} column
 * @param {{ sort: string, isDescending: boolean }} order
 */
function ariaSort({ sort }, order) {
  if (sort === undefined || sort !== order.sort) return undefined;
  return order.isDescending ? 'descending' : 'ascending';
}
