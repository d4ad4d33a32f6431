// @ts-check
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { bytes, decimal, duration } from './format.js';
import { html } from './ui.js';

/** @import { Sample } from '../src/samples.ts' */

/** Seconds that a chart shows at most, and at least. */
const LONGEST = 120;
const SHORTEST = 10;

/** Steps of an axis in bytes: 512 B, 1 KiB, 2 KiB. */
const BYTE_STEPS = Array.from({ length: 40 }, (_, power) => 2 ** power);

const CHARTS = [
  {
    title: 'Delivered',
    unit: 'events a second',
    /** @param {Sample} sample */
    read: sample => sample.delivered,
    format: decimal,
    least: 10,
    color: '--series-1',
  },
  {
    title: 'Sent',
    unit: 'bytes a second',
    /** @param {Sample} sample */
    read: sample => sample.bytes,
    format: bytes,
    least: 1_024,
    steps: BYTE_STEPS,
    color: '--series-2',
  },
  {
    title: 'Event loop held',
    unit: 'longest in each second',
    /** @param {Sample} sample */
    read: sample => sample.hold,
    format: duration,
    least: 5,
    color: '--series-3',
  },
];

/** @param {{ samples: readonly Sample[] }} props */
export function Charts({ samples }) {
  return html`<section class="charts">
    ${CHARTS.map(chart => html`<${Chart} key=${chart.title} ...${chart} samples=${samples} />`)}
  </section>`;
}

/** @param {typeof CHARTS[number] & { samples: readonly Sample[] }} props */
function Chart({ title, unit, read, format, least, steps, color, samples }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | undefined} */ (undefined));
  const newest = samples.at(-1);

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = createPlot(element, color, format, least, steps);
      plot.current.setData(seriesOf(samples, read));
    };
    draw();
    const sizes = new ResizeObserver(() => plot.current?.setSize(sizeOf(element)));
    sizes.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      sizes.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(seriesOf(samples, read)), [samples]);

  return html`<figure class="chart">
    <figcaption>
      <b>${title}</b> <span>${unit}</span>
      <output>${newest === undefined ? '' : format(read(newest))}</output>
    </figcaption>
    <div ref=${place} role="img" aria-label="${title}, ${unit}, in the last two minutes"></div>
  </figure>`;
}

/**
 * @param {readonly Sample[]} samples
 * @param {(sample: Sample) => number} read
 * @returns {uPlot.AlignedData}
 */
function seriesOf(samples, read) {
  return [samples.map(({ time }) => time / 1_000), samples.map(read)];
}

/** @param {HTMLElement} element */
const sizeOf = element => ({ width: element.clientWidth, height: element.clientHeight });

/**
 * @param {HTMLElement} element
 * @param {string} color
 * @param {(value: number) => string} format
 * @param {number} least the top of the axis, at least
 * @param {number[]} [steps] between the labels of the axis
 */
function createPlot(element, color, format, least, steps) {
  const stroke = colorOf(element, color);
  const axis = {
    stroke: colorOf(element, '--muted'),
    grid: { stroke: colorOf(element, '--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: { show: false },
      padding: [12, 16, 0, 0],
      scales: {
        x: { range: plot => [now() - spanOf(plot), now()] },
        y: { range: (_plot, _min, max) => [0, Math.max(max * 1.15, least)] },
      },
      axes: [
        {
          ...axis,
          size: 24,
          splits: plot => agesOf(spanOf(plot)).map(age => now() - age),
          values: (_plot, times) => times.map(time => label(Math.round(now() - time))),
        },
        {
          ...axis,
          size: 62,
          space: 28,
          ...(steps && { incrs: steps }),
          values: (_plot, ticks) => ticks.map(format),
        },
      ],
      series: [
        {},
        {
          stroke,
          width: 1.75,
          fill: `color-mix(in srgb, ${stroke} 14%, transparent)`,
          points: { show: false },
        },
      ],
    },
    [[], []],
    element,
  );
}

/**
 * A canvas cannot draw light-dark(): this returns the color that it stands for.
 *
 * @param {HTMLElement} element
 * @param {string} token
 */
function colorOf(element, token) {
  element.style.color = `var(${token})`;
  return getComputedStyle(element).color;
}

const now = () => Date.now() / 1_000;

/**
 * Seconds from the first sample until now. A chart of a hub that was just started has no empty past.
 *
 * @param {uPlot} plot
 */
function spanOf({ data: [times] }) {
  return Math.min(LONGEST, Math.max(SHORTEST, now() - (times[0] ?? now())));
}

/**
 * Of the labels below a chart: at most five, in seconds.
 *
 * @param {number} span
 */
function agesOf(span) {
  const step = [2, 5, 10].find(step => span / step < 5) ?? 30;
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step).reverse();
}

/** @param {number} age in seconds */
function label(age) {
  return age === 0 ? 'now' : `−${age} s`;
}
