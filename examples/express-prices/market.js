/** @typedef {{ symbol: string, name: string, open: number, price: number }} Share */

/** None of them exists. From those that are traded all the time to those that hardly are. */
const SHARES = /** @type {const} */ ([
  ['ACRN', 'Acorn Timber', 84.2],
  ['BRCH', 'Birch & Bell', 132.6],
  ['CLMT', 'Calamity Insurance', 48.15],
  ['DRFT', 'Driftwood Shipping', 27.9],
  ['EBBT', 'Ebb Tidal Power', 61.4],
  ['FRGE', 'Forge & Anvil', 203.75],
  ['GLDN', 'Golden Hour Optics', 95.1],
  ['HRTH', 'Hearthside Foods', 39.85],
  ['INKW', 'Inkwell Press', 18.3],
  ['JNPR', 'Juniper Spirits', 72.55],
  ['KITE', 'Kite Aviation', 156.2],
  ['LMNT', 'Lamont Elevators', 33.45],
  ['MRBL', 'Marble Arch Stone', 58.7],
  ['NMBS', 'Nimbus Weather', 114.9],
  ['OTTR', 'Otter Rivercraft', 22.6],
  ['PBBL', 'Pebble Payments', 187.35],
  ['QRTZ', 'Quartz Timepieces', 76.8],
  ['RVNS', 'Ravens Security', 44.25],
  ['SLTR', 'Salter Scales', 29.15],
  ['TNDR', 'Tinder & Match', 15.95],
  ['UMBR', 'Umber Pigments', 53.3],
  ['VLVT', 'Velvet Looms', 67.4],
  ['WRBL', 'Warbler Audio', 141.05],
  ['XNTH', 'Xanthic Labs', 88.65],
  ['YARW', 'Yarrow Botanics', 35.7],
  ['ZNTH', 'Zenith Telescopes', 219.5],
  ['ALDR', 'Alder Instruments', 46.9],
  ['BSLT', 'Basalt Roads', 24.35],
  ['CNDR', 'Cinder Heating', 31.2],
  ['DNLN', 'Dandelion Seeds', 12.75],
  ['EIDR', 'Eider Bedding', 64.1],
  ['FNCH', 'Finch Courier', 41.6],
  ['GRVL', 'Gravel & Sons', 19.8],
  ['HLLY', 'Holly Toys', 55.45],
  ['IVRY', 'Ivory Keys', 37.25],
  ['JSPR', 'Jasper Ceramics', 28.55],
  ['KNDL', 'Kindle Lamps', 83.9],
  ['LRCH', 'Larch Paper', 16.4],
  ['MOSS', 'Moss Gardens', 49.65],
  ['NTTL', 'Nettle Teas', 9.85],
]);

/**
 * Computes a market: each share goes up and down at random, and the same seed gives the same market.
 *
 * @param {number} seed
 */
exports.createMarket = seed => {
  const random = createRandom(seed);
  /** @type {Share[]} */
  const shares = SHARES.map(([symbol, name, open]) => ({ symbol, name, open, price: open }));
  return {
    shares,
    /** A share is traded: it has another price. */
    trade() {
      // The cube makes the first ones busy and the last ones quiet.
      const share = /** @type {Share} */ (shares[Math.floor(random() ** 3 * shares.length)]);
      const change = (random() + random() + random() - 1.5) * 0.008;
      const price = Math.max(0.01, Math.round(share.price * (1 + change) * 100) / 100);
      share.price = price;
      return share;
    },
  };
};

/**
 * Mulberry32: numbers from 0 to 1 that look random. Those of Math.random() cannot be had twice.
 *
 * @param {number} seed
 */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
