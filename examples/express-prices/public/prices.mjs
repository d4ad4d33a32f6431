import uPlot from '/uplot/uPlot.esm.js';

/** Points that a chart has, before the price of now. */
const SHOWN = 60;
/** Px that a chart is high. */
const HEIGHT = 40;

const element = id => document.getElementById(id);
const reducesMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** By symbol: the share, and what shows it. */
const rows = new Map();
/** The prices of all shares, by symbol, at equal distances. */
let points = [];
/** Rows whose charts will be drawn in the next frame. */
const changed = new Set();
let drawing;

// It reconnects by itself, and sends the id of the last event.
const source = new EventSource('/events');
source.addEventListener('open', () => showState('live', 'Live'));
source.addEventListener('error', () => {
  const isOver = source.readyState === EventSource.CLOSED;
  showState(isOver ? 'offline' : 'waiting', isOver ? 'Offline: reload this page' : 'Reconnecting');
});
on('price', showPrice);
on('point', prices => {
  points = [...points, prices].slice(-SHOWN);
  draw(rows.values());
});
// The page has missed events of these channels. What they retain follows.
on('reset', ({ channels }) => {
  if (channels.includes('points')) points = [];
  if (channels.includes('prices')) forget();
  draw(rows.values());
});

function on(event, handle) {
  source.addEventListener(event, ({ data }) => handle(JSON.parse(data)));
}

function showState(state, words) {
  document.body.dataset.state = state;
  if (element('state').textContent !== words) element('state').textContent = words;
}

function showPrice(share) {
  const row = rows.get(share.symbol) ?? addRow(share);
  const { item, price, change, share: before } = row;
  const percent = (share.price / share.open - 1) * 100;
  row.share = share;
  item.classList.toggle('down', percent < 0);
  price.value = share.price;
  price.textContent = share.price.toFixed(2);
  change.value = percent;
  change.textContent = `${percent < 0 ? '▼' : '▲'} ${Math.abs(percent).toFixed(2)} %`;
  if (share.price !== before.price && !reducesMotion.matches) {
    const color = share.price < before.price ? 'var(--bad)' : 'var(--good)';
    const soft = `color-mix(in srgb, ${color} 24%, transparent)`;
    price.animate({ backgroundColor: [soft, 'transparent'] }, 1_200);
  }
  draw([row]);
}

function addRow(share) {
  const item = element('share').content.cloneNode(true).firstElementChild;
  const part = selector => item.querySelector(selector);
  item.id = share.symbol;
  part('h2').textContent = share.symbol;
  part('p').textContent = share.name;
  // They arrive in the order of their last trades.
  const next = [...element('shares').children].find(({ id }) => id > share.symbol);
  element('shares').insertBefore(item, next ?? null);
  const chart = part('.chart');
  // As the style says. A canvas cannot draw light-dark() itself.
  const color = () => getComputedStyle(chart).color;
  const fill = () => `color-mix(in srgb, ${color()} 16%, transparent)`;
  const line = { stroke: color, fill, points: { show: false } };
  const options = {
    ...sizeOf(chart),
    padding: [3, 0, 3, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [{ show: false }, { show: false }],
    series: [{}, { ...line, width: 1.5 }],
  };
  const plot = new uPlot(options, [[], []], chart);
  const row = { share, item, chart, price: part('.price'), change: part('.change'), plot };
  rows.set(share.symbol, row);
  return row;
}

const sizeOf = chart => ({ width: chart.clientWidth, height: HEIGHT });

/** Draws once a frame, however many prices arrive. */
function draw(some) {
  for (const row of some) changed.add(row);
  cancelAnimationFrame(drawing);
  drawing = requestAnimationFrame(() => {
    for (const { plot, share } of changed) {
      const prices = [...points.map(point => point[share.symbol]), share.price];
      plot.setData([prices.map((_, index) => index), prices]);
    }
    changed.clear();
  });
}

function forget() {
  for (const { plot, item } of rows.values()) {
    plot.destroy();
    item.remove();
  }
  rows.clear();
  changed.clear();
}

new ResizeObserver(() => {
  for (const { plot, chart } of rows.values()) plot.setSize(sizeOf(chart));
}).observe(element('shares'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw(rows.values()));
