// Prints what of a client is left in a process, and ends: run by leftovers.test.ts.
import { createServer } from 'node:http';
import { connect } from '@tidings/testing';

const held = () => process.getActiveResourcesInfo().filter(name => /Timeout|TCP|Immediate/.test(name));
const endless = createServer((_req, res) => {
  res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
});

const before = held();
const client = await connect(endless, '/');
await client.next();
const waits = [client.next(), client.ended];
await client.close();
await Promise.allSettled(waits);
// A closed socket is reported until the turn is over.
await new Promise(setImmediate);
console.log(JSON.stringify({ before, after: held() }));

// Forgotten.
await (await connect(endless, '/')).next();
