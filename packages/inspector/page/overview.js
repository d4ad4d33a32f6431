// @ts-check
import { bytes, decimal, duration, number } from './format.js';
import { html } from './ui.js';

/** @import { Sample } from '../src/samples.ts' */

/**
 * The figures of the hub, as of the newest sample.
 *
 * @param {{ sample: Sample | undefined }} props
 */
export function Overview({ sample }) {
  if (sample === undefined) return html`<section class="figures" aria-busy="true"></section>`;
  const { stats } = sample;
  return html`
    <section class="figures" aria-label="The hub now">
      <${Figure} name="Streams" value=${number(stats.streams)} note="${number(stats.clients)} clients" />
      <${Figure} name="Published" value=${decimal(sample.published)} unit="/s" note="${number(stats.published)} in all" />
      <${Figure} name="Delivered" value=${decimal(sample.delivered)} unit="/s" note="${bytes(sample.bytes)}/s" />
      <${Figure}
        name="Slow"
        value=${number(stats.lagging)}
        note=${stats.lagging > 0 ? `${number(stats.lagEvents)} events behind` : 'all keep up'}
        alert=${stats.lagging > 0}
      />
      <${Figure} name="Resets" value=${number(stats.resets)} note=${reasons(stats.resetReasons)} alert=${stats.resets > 0} />
      <${Figure} name="Buffered" value=${bytes(stats.bufferedBytes)} note="${bytes(stats.historyBytes)} of history" />
      <${Figure}
        name="Longest hold"
        value=${decimal(stats.delivery.longestHold)}
        unit=" ms"
        note="of the event loop"
        alert=${stats.delivery.longestHold > 50}
      />
      <${Broker} broker=${stats.broker} />
    </section>
  `;
}

/** @param {{ name: string, value: string, unit?: string, note: string, alert?: boolean }} props */
function Figure({ name, value, unit = '', note, alert = false }) {
  return html`
    <div class="figure" data-alert=${alert || undefined}>
      <h2>${name}</h2>
      <p class="value">${value}<span class="unit">${unit}</span></p>
      <p class="note">${note}</p>
    </div>
  `;
}

/** @param {{ broker: Sample['stats']['broker'] }} props */
function Broker({ broker }) {
  if (broker === undefined) return html`<${Figure} name="Broker" value="none" note="one process" />`;
  const since = duration(Date.now() - broker.since);
  return html`<${Figure}
    name="Broker"
    value=${broker.connected ? 'up' : 'away'}
    note=${`for ${since}`}
    alert=${!broker.connected}
  />`;
}

/** @param {Record<string, number>} counts */
function reasons(counts) {
  const parts = Object.entries(counts).map(([reason, count]) => `${number(count)} ${reason}`);
  return parts.length > 0 ? parts.join(', ') : 'nothing was lost';
}
