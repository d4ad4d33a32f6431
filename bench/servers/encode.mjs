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

/** Ms. */
const RUN = 300;
const sink = Buffer.alloc(8192);

/** @param {object} data */
function nanosecondsFor(data) {
  const start = process.hrtime.bigint();
  let count = 0;
  do {
    // Text that nobody has looked at may not have been put together yet: so it is written out.
    for (let i = 0; i < 100; i++)
      sink.write(/** @type {NonNullable<typeof encode>} */ (encode)(`a-${++count}`, data));
  } while (process.hrtime.bigint() - start < RUN * 1e6);
  return Number(process.hrtime.bigint() - start) / count;
}

const sizes = [130, 3500];
for (const size of sizes) nanosecondsFor(payload(size));
console.log(JSON.stringify(Object.fromEntries(sizes.map(size => [size, nanosecondsFor(payload(size))]))));
