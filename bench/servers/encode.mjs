// How long one encoder takes for an event: `node encode.mjs <encoder>` prints ns by size.
import { encodeEvent } from '@tidings/core';
import { createEventBuffer } from 'better-sse';
import { payload } from './payload.mjs';

/** @type {Record<string, (id: string, data: object) => string>} */
const encoders = {
  tidings: (id, data) => encodeEvent({ id, event: 'tick', data }),
  concatenation: (id, data) => `id: ${id}\nevent: tick\ndata: ${JSON.stringify(data)}\n\n`,
  'better-sse': (id, data) => createEventBuffer().push(data, 'tick', id).read(),
};
const encode = encoders[process.argv[2] ?? ''];
if (encode === undefined) throw new Error('no such encoder');

/** µs. */
const RUN = 300_000;
const sink = Buffer.alloc(8192);

/** @param {object} data */
function nanosecondsFor(data) {
  const start = process.cpuUsage();
  let count = 0;
  for (;;) {
    for (let i = 0; i < 1000; i++) {
      // Text that nobody has looked at may not have been put together yet: so it is written out.
      sink.write(/** @type {NonNullable<typeof encode>} */ (encode)(`a-${++count}`, data));
    }
    const { user, system } = process.cpuUsage(start);
    if (user + system >= RUN) return ((user + system) * 1000) / count;
  }
}

const sizes = [130, 3500];
for (const size of sizes) nanosecondsFor(payload(size));
console.log(JSON.stringify(Object.fromEntries(sizes.map(size => [size, nanosecondsFor(payload(size))]))));
