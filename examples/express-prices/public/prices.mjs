import uPlot from '/uplot/uPlot.esm.js';

/** Points that a chart has, before the price of now. */
const SHOWN = 60;
const CHART = { width: 104, height: 40 };

const element = id => document.getElementById(id);
const reducesMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** By symbol: the share, and what shows it. */
const rows = new Map();
/** The prices of all shares, by symbol, at equal distances. */
let points = [];
/** Rows whose charts are to be drawn. */
const changed = new Set();
let drawing;

// It comes back by itself, and says which event it has seen last.
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
// What the page shows of these is not all that there was; what there still is comes next.
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
    const color = share.price < before.price ? 'var(--down-soft)' : 'var(--up-soft)';
    price.animate({ backgroundColor: [color, 'transparent'] }, 1_200);
  }
  draw([row]);
}

function addRow(share) {
  const item = element('share').content.cloneNode(true).firstElementChild;
  const part = selector => item.querySelector(selector);
  item.id = share.symbol;
  part('h2').textContent = share.symbol;
  part('p').textContent = share.name;
  // They come in the order in which they were last traded.
  const next = [...element('shares').children].find(({ id }) => id > share.symbol);
  element('shares').insertBefore(item, next ?? null);
  const color = name => getComputedStyle(item).getPropertyValue(name);
  const line = { stroke: () => color('--trend'), fill: () => color('--trend-soft'), points: { show: false } };
  const options = {
    ...CHART,
    padding: [3, 0, 3, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false } },
    axes: [{ show: false }, { show: false }],
    series: [{}, { ...line, width: 1.5 }],
  };
  const plot = new uPlot(options, [[], []], part('.chart'));
  const row = { share, item, price: part('.price'), change: part('.change'), plot };
  rows.set(share.symbol, row);
  return row;
}

/** Draws once, however many prices come at a time. */
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

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw(rows.values()));
