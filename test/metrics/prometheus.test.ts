import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HubStats } from '@tidings/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { type Client, request } from '../support/client.ts';
import { freePort } from '../support/server.ts';
import { root } from '../support/snippets.ts';
import { describeWith } from '../support/system.ts';

const RULES = join(root, 'packages/metrics/prometheus-rules.yml');
const DASHBOARD = join(root, 'packages/metrics/grafana-dashboard.json');
const STREAMS = 200;

interface Panel {
  title: string;
  targets?: { expr: string }[];
}

/** The queries of the dashboard, as Grafana sends them. */
function queries(): [panel: string, query: string][] {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }): [string, string] => {
      return [title, expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '10s')];
    }),
  );
}

const promtool = (...args: string[]) => execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' });

describeWith('/usr/bin/promtool', 'Prometheus', () => {
  let folder: string;
  let server: Child;
  let prometheus: ChildProcess;
  let api: string;
  const clients: Client[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidings-prometheus-'));
    server = await start(new URL('server.ts', import.meta.url), join(folder, 'log.db'));
    for (let i = 0; i < STREAMS; i++) clients.push(await request(server.origin, '/events'));
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '500ms', evaluation_interval: '1s' },
        rule_files: [RULES],
        scrape_configs: [{ job_name: 'app', static_configs: [{ targets: [new URL(server.origin).host] }] }],
      }),
    );
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1`;
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
  });
  afterAll(() => {
    prometheus?.kill();
    server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The data of a response of the HTTP API. */
  async function ask<T>(path: string): Promise<T> {
    const response = await fetch(`${api}/${path}`);
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(`${path}: ${error}`);
    return data;
  }

  async function query(text: string) {
    type Result = { metric: Record<string, string>; value: [at: number, value: string] }[];
    return (await ask<{ result: Result }>(`query?query=${encodeURIComponent(text)}`)).result;
  }

  const first = async (text: string) => Number((await query(text).catch(() => []))[0]?.value[1]);

  it('accepts the alerts, and the metrics of a server', async () => {
    expect(promtool('check', 'rules', RULES)).toContain('6 rules found');
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    const checked = execFileSync('promtool', ['check', 'metrics'], { input: metrics, encoding: 'utf8' });
    expect(checked).toBe('');
  });

  it('fires each alert at its threshold, and not before', () => {
    expect(promtool('test', 'rules', join(root, 'test/metrics/alerts.test.yml'))).toContain('SUCCESS');
  });

  it('exports the figures of the hub', async () => {
    // Two scrapes at least, so that there are rates.
    await expect.poll(() => first('rate(tidings_events_delivered_total[10s])')).toBeGreaterThan(0);
    const stats = await server.ask<HubStats>('rest');
    expect(stats.streams).toBe(STREAMS);
    // What was published last may be on its way.
    await expect
      .poll(async () => {
        const { published, delivered, deliveredBytes } = await server.ask<HubStats>('rest');
        const numbers = await Promise.all([
          first('tidings_streams_open'),
          first('tidings_events_published_total'),
          first('tidings_events_delivered_total'),
          first('tidings_delivered_bytes_total'),
          first('tidings_broker_connected'),
        ]);
        return JSON.stringify(numbers) === JSON.stringify([STREAMS, published, delivered, deliveredBytes, 1]);
      })
      .toBe(true);
    expect(await first('sum(tidings_replay_events_count)')).toBe(STREAMS);
    expect(
      await first('sum(tidings_events_delivered_total) / sum(tidings_events_published_total)'),
    ).toBeGreaterThan(100);
  });

  it('evaluates each query of the dashboard with existing metrics', async () => {
    const names = new Set(await ask<string[]>('label/__name__/values'));
    for (const [, text] of queries()) await query(text);
    const used = queries().flatMap(([, text]) => text.match(/tidings_\w+/g) ?? []);
    const rules = readFileSync(RULES, 'utf8').match(/tidings_\w+/g) ?? [];
    // Those by reason or code have no series until there is one.
    const later =
      /^tidings_(streams_closed_total|resets_total|authorize_seconds_bucket|publish_errors_total|broker_call_errors_total|stream_duration_seconds_bucket)$/;
    const isKnown = (name: string) => names.has(name) || names.has(`${name}_bucket`) || later.test(name);
    expect([...used, ...rules].filter(name => !isKnown(name))).toEqual([]);
  });

  it('fires no alert on a healthy server', async () => {
    type Groups = { rules: { health: string }[] }[];
    const { groups } = await ask<{ groups: Groups }>('rules');
    const rules = groups.flatMap(group => group.rules);
    expect(rules.map(({ health }) => health)).toEqual(rules.map(() => 'ok'));
    const firing = (await query('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname);
    expect(firing).toEqual([]);
  });
});
