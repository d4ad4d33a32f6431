import { connect } from '/tidings/client.js';
import uPlot from '/uplot/uPlot.esm.js';
import { bytes, clock, duration, milliseconds, percent, rate } from './format.js';

/** Ms that the charts show. */
const SHOWN = 120_000;
/** Px that a chart is high. */
const HEIGHT = 180;
/** By the state of the client: the name of the style, and the text. */
const STATES = { open: ['live', 'Live'], failed: ['offline', 'Offline'] };

/** What each tile shows of its metric: value, detail, share of the whole. */
const tiles = {
  cores: cores => [percent(mean(cores)), `of ${cores.length} cores`, mean(cores) / 100],
  memory: ({ used, total }) => [bytes(used), `of ${bytes(total)}`, used / total],
  load: ([one, five, fifteen]) => [one.toFixed(2), `${five.toFixed(2)} · ${fifteen.toFixed(2)}`],
  eventLoop: ({ p99, max }) => [milliseconds(p99), `p99 · max ${milliseconds(max)}`],
  network: ({ received, sent }) => [rate(received), `out ${rate(sent)}`],
  disk: ({ written, read }) => [rate(written), `reads ${rate(read)}`],
};

/** What each panel draws. The axis shows at least `top`, so that noise does not fill the chart. */
const describePanels = ({ cores, memory }) => ({
  cores: { format: percent, top: 100, lines: Object.fromEntries(cores.map(coreLine)) },
  memory: { format: bytes, top: memory.total / 10, lines: { Used: sample => sample.memory?.used } },
  eventLoop: {
    format: milliseconds,
    top: 5,
    lines: { p99: sample => sample.eventLoop?.p99, p50: sample => sample.eventLoop?.p50 },
  },
  network: {
    format: rate,
    top: 10_000,
    lines: { In: sample => sample.network?.received, Out: sample => sample.network?.sent },
  },
  disk: {
    format: rate,
    top: 100_000,
    lines: { Written: sample => sample.disk?.written, Read: sample => sample.disk?.read },
  },
});
const coreLine = (_, core) => [`Core ${core}`, sample => sample.cores?.[core]];

const element = id => document.getElementById(id);
const say = (id, text) => {
  element(id).textContent = text;
};

let interval;
let samples = [];
let charts = [];
let drawing;

// It resumes by itself. The server sends an event each second: a connection that is silent for longer is dead.
const events = connect('/events', { silence: 10_000, retry: { max: 5_000 } });
const on = (name, handle) => events.on(name, ({ data }) => handle(data));

events.on('state', showState);
on('machine', showMachine);
on('uptime', seconds => say('uptime', `Up ${duration(seconds)}`));
on('streams', count => say('streams', `${count} ${count === 1 ? 'stream' : 'streams'} open`));
for (const name of Object.keys(tiles)) on(name, value => showTile(name, value));
on('sample', add);
on('reset', clear);

function add(sample) {
  samples = [...samples.filter(({ at }) => at > sample.at - SHOWN - interval), sample];
  draw();
}

/** The missed samples are no longer retained. The server sends those that are. */
function clear() {
  samples = [];
  removeCharts();
}

function showState(state) {
  const [style, text] = STATES[state] ?? ['waiting', 'Reconnecting'];
  document.body.dataset.state = style;
  // Only a change is written: a screen reader reads each one.
  if (element('state').textContent !== text) say('state', text);
  element('retry').hidden = state !== 'failed';
}

function showMachine({ hostname, platform, processor, interval: ms }) {
  interval = ms;
  document.title = `${hostname} · Tidings dashboard`;
  say('machine', [hostname, platform, processor].filter(Boolean).join(' · '));
}

/** `null`: this platform does not provide the metric. */
function showTile(name, metric) {
  const tile = element(`${name}-tile`);
  tile.hidden = metric === null;
  if (tile.hidden) return;
  const [value, detail, share] = tiles[name](metric);
  tile.querySelector('.value').textContent = value;
  tile.querySelector('.detail').textContent = detail;
  if (share !== undefined) tile.style.setProperty('--share', share);
}

/** Draws once a frame, however many samples arrive. */
function draw() {
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(showCharts);
}

function showCharts() {
  const latest = samples.at(-1);
  if (latest === undefined) return;
  if (charts.length === 0) createCharts(latest);
  const rows = samples.flatMap(withGap);
  const times = rows.map(({ at }) => at / 1000);
  for (const { plot, lines } of charts) {
    plot.setData([times, ...Object.values(lines).map(read => rows.map(row => read(row) ?? null))]);
  }
}

/** Where samples are missing, a row without values interrupts the lines. */
function withGap(sample, index) {
  const isLate = index > 0 && sample.at - samples[index - 1].at > 2.5 * interval;
  return isLate ? [{ at: sample.at - interval }, sample] : [sample];
}

function createCharts(latest) {
  for (const [field, { format, top, lines }] of Object.entries(describePanels(latest))) {
    element(`${field}-panel`).hidden = !(field in latest);
    if (!(field in latest)) continue;
    const place = element(`${field}-panel`).querySelector('.chart');
    const plot = new uPlot(chartOptions(place.clientWidth, format, top, Object.keys(lines)), [[]], place);
    charts.push({ plot, lines });
  }
}

function chartOptions(width, format, top, labels) {
  const axis = { stroke: colorOf('muted'), font: '12px system-ui, sans-serif', ticks: { show: false } };
  const horizontal = { ...axis, size: 34, gap: 9, space: 96, grid: { show: false } };
  const vertical = { ...axis, size: 72, space: 32, grid: { stroke: colorOf('line'), width: 1 } };
  const series = labels.map((label, index) => {
    const stroke = colorOf(`series-${(index % 8) + 1}`);
    const value = (_, number) => (number === null ? '–' : format(number));
    const fill = labels.length === 1 ? `color-mix(in srgb, ${stroke} 14%, transparent)` : undefined;
    return { label, stroke, value, fill, width: 1.75 };
  });
  return {
    width,
    height: HEIGHT,
    padding: [12, 30, 0, 0],
    legend: { markers: { width: 0, fill: (plot, line) => plot.series[line].stroke?.() } },
    cursor: { y: false, drag: { x: false }, sync: { key: 'time' } },
    hooks: { draw: [showLatestInLegend] },
    scales: {
      // A server that was just started has a short past: the chart begins with it.
      x: { range: (_plot, start, end) => [Math.max(end - SHOWN / 1000, Math.min(start, end - 10)), end] },
      y: { range: (_plot, _least, most) => [0, most > top ? most * 1.1 : top] },
    },
    axes: [
      { ...horizontal, values: (_, times) => times.map(clock) },
      { ...vertical, values: (_, numbers) => numbers.map(format) },
    ],
    series: [{}, ...series.map(line => ({ ...line, points: { show: false } }))],
  };
}

/** A canvas cannot draw light-dark(): this returns the color that it stands for. */
function colorOf(token) {
  const { style } = element('panels');
  style.color = `var(--${token})`;
  const { color } = getComputedStyle(element('panels'));
  style.color = '';
  return color;
}

/** The values at the pointer, or the latest. */
function showLatestInLegend(plot) {
  if (plot.cursor.left < 0) plot.setLegend({ idx: plot.data[0].length - 1 });
}

function removeCharts() {
  for (const { plot } of charts) plot.destroy();
  charts = [];
}

function resizeCharts() {
  for (const { plot } of charts) plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
}

const mean = numbers => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

element('retry').addEventListener('click', () => events.reconnect());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  removeCharts();
  draw();
});
new ResizeObserver(resizeCharts).observe(element('panels'));
