// @ts-check
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { disconnect, useTail } from './feed.js';
import { bytes, duration, number, pretty } from './format.js';
import { copy, html } from './ui.js';

/** @import { ChannelRow, StreamRow } from '../src/rows.ts' */

/** @param {{ row: StreamRow, onClose: () => void }} props */
export function StreamDetail({ row, onClose }) {
  const [said, setSaid] = useState('');
  useEffect(() => setSaid(''), [row.name]);
  const act = async (/** @type {Parameters<typeof disconnect>[0]} */ who, /** @type {string} */ question) => {
    if (!confirm(question)) return;
    try {
      setSaid(await disconnect(who));
    } catch {
      setSaid('The server cannot be reached.');
    }
  };
  const { name, id, client, data } = row;
  return html`<${Drawer} title=${client ?? id ?? 'Anonymous stream'} onClose=${onClose}>
    <dl>
      <dt>Id</dt><dd>${id === undefined ? html`<span class="quiet">none: the application has not read it</span>` : html`<code>${id}</code>`}</dd>
      <dt>Client</dt><dd>${client ?? html`<span class="quiet">none</span>`}</dd>
      <dt>Open for</dt><dd>${duration(row.age)}</dd>
      <dt>Position</dt><dd>${row.position === undefined ? html`<span class="quiet">none</span>` : html`<code>${row.position}</code>`}</dd>
      <dt>Behind</dt><dd>${row.lagEvents === 0 ? 'nothing' : `${number(row.lagEvents)} events, ${duration(row.lagAge)}`}</dd>
      <dt>Buffered</dt><dd>${bytes(row.bufferedBytes)}</dd>
      <dt>Protocol</dt><dd>${row.protocol}</dd>
    </dl>
    ${data !== undefined && html`<h3>Data</h3><pre class="data">${data}</pre>`}
    <h3>${number(row.channelCount)} ${row.channelCount === 1 ? 'channel' : 'channels'}</h3>
    <p class="chips">
      ${row.channels.map(channel => html`<span class="chip">${channel}</span>`)}
      ${row.channelCount > row.channels.length && html`<span class="more">+${number(row.channelCount - row.channels.length)}</span>`}
    </p>
    <p class="actions">
      <button type="button" onClick=${() => act({ stream: name }, 'Disconnect this stream? Its client reconnects by itself.')}>Disconnect stream</button>
      ${client !== undefined && html`<button type="button" onClick=${() => act({ client }, `Disconnect all streams of ${client}?`)}>Disconnect client</button>`}
      <${CopyCurl} row=${row} />
    </p>
    <p role="status">${said}</p>
  <//>`;
}

/** @param {{ row: StreamRow }} props */
function CopyCurl({ row: { url, position } }) {
  const [label, setLabel] = useState('Copy as curl');
  const command = `curl -N ${quote(new URL(url, location.href).href)}${position === undefined ? '' : ` -H ${quote(`Last-Event-ID: ${position}`)}`}`;
  const onClick = async () => setLabel((await copy(command)) ? 'Copied' : 'No access to the clipboard');
  return html`<button type="button" title=${command} onClick=${onClick}>${label}</button>`;
}

/** @param {string} text for a POSIX shell */
const quote = text => `'${text.replaceAll("'", `'\\''`)}'`;

/** @param {{ row: ChannelRow, onClose: () => void }} props */
export function ChannelDetail({ row, onClose }) {
  const [isPaused, setPaused] = useState(false);
  const events = useTail(row.name, isPaused);
  return html`<${Drawer} title=${row.name} onClose=${onClose}>
    <dl>
      <dt>Streams</dt><dd>${number(row.subscribers)}</dd>
      <dt>Retained</dt><dd>${number(row.retained)} events, ${bytes(row.retainedBytes)}</dd>
    </dl>
    <h3>Events
      <button type="button" aria-pressed=${isPaused} onClick=${() => setPaused(!isPaused)}>${isPaused ? 'Resume' : 'Pause'}</button>
    </h3>
    ${events.length === 0 && html`<p class="empty">Nothing was published since this was opened.</p>`}
    <ol class="tail">
      ${events.map(
        event => html`<li key=${event.id ?? event.key}>
          <p><b>${event.event ?? 'message'}</b> ${event.key && event.key !== event.event && html`<span class="chip">${event.key}</span>`} <code>${event.id}</code></p>
          <pre>${pretty(event.data)}${event.isCut ? '…' : ''}</pre>
        </li>`,
      )}
    </ol>
  <//>`;
}

/** @param {{ title: string, onClose: () => void, children?: unknown }} props */
function Drawer({ title, onClose, children }) {
  useLayoutEffect(() => {
    const onKeyDown = (/** @type {KeyboardEvent} */ { key }) => key === 'Escape' && onClose();
    addEventListener('keydown', onKeyDown);
    return () => removeEventListener('keydown', onKeyDown);
  }, [onClose]);
  return html`<aside class="drawer" aria-label=${title}>
    <header><h2>${title}</h2><button type="button" aria-label="Close" onClick=${onClose}>✕</button></header>
    ${children}
  </aside>`;
}
