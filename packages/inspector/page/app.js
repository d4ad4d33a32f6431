// @ts-check
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { Channels } from './channels.js';
import { Charts } from './charts.js';
import { ChannelDetail, StreamDetail } from './detail.js';
import { useFeed } from './feed.js';
import { number } from './format.js';
import { Log } from './log.js';
import { Overview } from './overview.js';
import { Processes } from './processes.js';
import { Streams } from './streams.js';
import { html } from './ui.js';

/** @import { ChannelRow, StreamRow } from '../src/rows.ts' */
/** @typedef {{ table: 'streams', row: StreamRow } | { table: 'channels', row: ChannelRow }} Selection */

/** By the state of the feed: the name of the style, and the text. */
const STATES = {
  connecting: ['waiting', 'Connecting'],
  live: ['live', 'Live'],
  away: ['waiting', 'Reconnecting'],
  refused: ['offline', 'Not authorized. Reload the page.'],
};

function App() {
  const { state, samples, incidents, processes } = useFeed();
  const [tab, setTab] = useState('streams');
  const [search, setSearch] = useState('');
  const [selection, setSelection] = useState(/** @type {Selection | undefined} */ (undefined));
  const [style, text] = STATES[state];
  const sample = samples.at(-1);
  const tabs = [
    { id: 'streams', title: 'Streams', count: sample?.stats.streams },
    { id: 'channels', title: 'Channels', count: sample?.stats.channels },
    ...(processes === undefined ? [] : [{ id: 'processes', title: 'Processes', count: processes.length }]),
    { id: 'log', title: 'Log', count: incidents.length },
  ];
  const close = () => setSelection(undefined);
  const show = (/** @type {string} */ id) => {
    setTab(id);
    close();
  };

  return html`
    <header class="top" data-state=${style}>
      <h1>Tidings inspector</h1>
      <p class="state" role="status">${text}</p>
    </header>
    <main>
      <${Overview} sample=${sample} />
      <${Charts} samples=${samples} />
      <section class="tables" data-open=${selection !== undefined || undefined}>
        <div class="bar">
          <div role="tablist" aria-label="What is listed">
            ${tabs.map(
              ({
                id,
                title,
                count,
              }) => html`<button type="button" role="tab" aria-selected=${tab === id} onClick=${() => show(id)}>
                ${title}${count !== undefined && html` <span class="count">${number(count)}</span>`}
              </button>`,
            )}
          </div>
          <input type="search" placeholder="Client, channel or id" aria-label="Search" value=${search}
            onInput=${(/** @type {InputEvent} */ event) => setSearch(/** @type {HTMLInputElement} */ (event.target).value)} />
        </div>
        <div class="content" role="tabpanel">
          ${
            tab === 'streams' &&
            html`<${Streams} search=${search} selected=${selection?.table === 'streams' ? selection.row.name : undefined}
              onSelect=${(/** @type {StreamRow} */ row) => setSelection({ table: 'streams', row })} />`
          }
          ${
            tab === 'channels' &&
            html`<${Channels} search=${search} selected=${selection?.table === 'channels' ? selection.row.name : undefined}
              onSelect=${(/** @type {ChannelRow} */ row) => setSelection({ table: 'channels', row })} />`
          }
          ${tab === 'processes' && processes !== undefined && html`<${Processes} processes=${processes} search=${search} />`}
          ${tab === 'log' && html`<${Log} incidents=${incidents} search=${search} />`}
          ${selection?.table === 'streams' && html`<${StreamDetail} row=${selection.row} onClose=${close} />`}
          ${selection?.table === 'channels' && html`<${ChannelDetail} key=${selection.row.name} row=${selection.row} onClose=${close} />`}
        </div>
      </section>
    </main>
  `;
}

render(html`<${App} />`, document.body);
