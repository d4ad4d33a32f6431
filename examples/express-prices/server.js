const { dirname, join } = require('node:path');
const { createHub } = require('@tidings/core');
const { gracefulShutdown } = require('@tidings/core/node');
const { sse } = require('@tidings/express');
const express = require('express');
const { createMarket } = require('./market.js');

const port = Number(process.env.PORT ?? 3000);
const host = process.env.HOST ?? '127.0.0.1';
/** Ms between two trades, and how many trades there are from one point of the charts to the next. */
const interval = 40;
const tradesPerPoint = 50;
/** Points of a chart. */
const shown = 60;

// `prices` retains the newest price of each share, `points` the prices of all shares at equal intervals.
const hub = createHub({ channels: name => ({ compact: name === 'prices' }) });
const market = createMarket(Number(process.env.SEED ?? 1));

const app = express();
app.use(sse({ hub }));
app.get('/events', (_req, res) => {
  res
    .sse({ retry: 1_000 })
    .subscribe('prices')
    .subscribe('points', { from: { last: shown } });
});
app.use('/uplot', express.static(dirname(require.resolve('uplot'))));
app.use(express.static(join(__dirname, 'public')));
app.get('/readme', (_req, res) => {
  res.type('text').sendFile(join(__dirname, 'README.md'));
});

// The market is older than this server, so that the charts have a past.
for (let point = 0; point < shown; point++) {
  for (let trade = 0; trade < tradesPerPoint; trade++) market.trade();
  publishPoint();
}
for (const share of market.shares) publishPrice(share);

let trades = 0;
const trading = setInterval(() => {
  publishPrice(market.trade());
  if (++trades % tradesPerPoint === 0) publishPoint();
}, interval);

/** @param {import('./market.js').Share} share */
function publishPrice(share) {
  hub.publish('prices', share, { event: 'price', key: share.symbol });
}

function publishPoint() {
  const prices = Object.fromEntries(market.shares.map(({ symbol, price }) => [symbol, price]));
  hub.publish('points', prices, { event: 'point' });
}

const server = app.listen(port, host, error => {
  if (error) {
    console.error(`Cannot listen: ${error.message}. Set PORT to another port.`);
    process.exit(1);
  }
  console.log(`Prices: http://${host}:${port}`);
});

gracefulShutdown(server, hub, {
  within: 5_000,
  retry: [1_000, 3_000],
  before: () => clearInterval(trading),
});
