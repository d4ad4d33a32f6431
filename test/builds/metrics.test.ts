import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writePackedPrograms } from '../support/packed.ts';

/** Where neither prom-client nor OpenTelemetry can be found. */
let folder: string;

// A registry of another kind, and a meter: all that is used of them is their shape.
const PROGRAM = `
  const hub = createHub();
  const registered = [];
  const instruments = [];
  const create = name => void instruments.push(name);
  const registry = { registerMetric: each => registered.push(each), removeSingleMetric() {} };
  const meter = {
    createHistogram: create, createCounter: create, createObservableGauge: create, createObservableCounter: create,
    addBatchObservableCallback() {}, removeBatchObservableCallback() {},
  };
  const { stop } = instrument(hub, { registry, meter });
  hub.publish('a', 1);
  registered.find(({ name }) => name === 'tidings_events_published_total').get().then(({ values }) => {
    console.log(registered.length === instruments.length, values[0].value);
    stop();
  });`;

const names = { createHub: '@tidings/core', instrument: '@tidings/metrics' };

beforeAll(() => {
  folder = writePackedPrograms(names, PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each(['esm.mjs', 'commonjs.cjs'])(
  'the packed @tidings/metrics needs neither of its peer dependencies, %s',
  program => {
    expect(execFileSync(process.execPath, [program], { cwd: folder, encoding: 'utf8' })).toBe('true 1\n');
  },
);

it('the packed @tidings/metrics has the dashboard and the alerts', () => {
  const packed = join(folder, 'node_modules/@tidings/metrics');
  expect(
    ['grafana-dashboard.json', 'prometheus-rules.yml'].map(name => existsSync(join(packed, name))),
  ).toEqual([true, true]);
});
