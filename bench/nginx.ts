import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { childrenOf } from './processes.ts';
import { accepts, endProgram, startProgram } from './program.ts';

/**
 * Starts nginx, and waits until it accepts connections.
 *
 * @param port that the configuration listens to.
 * @param workers that the configuration has.
 */
export async function startNginx(
  port: number,
  configuration: string,
  workers: number,
): Promise<{ program: ChildProcess; cleanUp(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-bench-'));
  writeFileSync(join(folder, 'nginx.conf'), configuration);
  const program = startProgram(
    'nginx',
    ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf'],
    ['ignore', 'ignore', 'inherit'],
  );
  // It listens before it starts its workers.
  while (!(await accepts(port)) || childrenOf(program.pid as number).length < workers) {
    if (program.exitCode !== null) throw new Error(`nginx has ended, with ${program.exitCode}`);
    await sleep(50);
  }
  return { program, cleanUp: () => rmSync(folder, { recursive: true }) };
}

/** Its workers end only if it ends in order. */
export async function endNginx(program: ChildProcess): Promise<void> {
  const ended = once(program, 'exit');
  program.kill('SIGTERM');
  await Promise.race([ended, sleep(5_000)]);
  await endProgram(program);
}

/** One worker with nchan. */
export function nchanConfiguration(module: string, port: number): string {
  return `
    load_module ${module};
    daemon off;
    user root;
    worker_processes 1;
    pid nginx.pid;
    events { worker_connections 18000; }
    http {
      access_log off;
      keepalive_requests 1000000;
      client_body_temp_path body;
      nchan_shared_memory_size 256M;
      server {
        listen 127.0.0.1:${port} backlog=511;
        location = / {
          nchan_subscriber eventsource;
          nchan_channel_id news;
          nchan_subscriber_first_message newest;
        }
        location = /publish {
          nchan_publisher;
          nchan_channel_id news;
          nchan_message_buffer_length 256;
        }
        location = /ping { return 200 pong; }
      }
    }`;
}

export const PROXY_WORKERS = 2;

/** A proxy. It has two workers: for 10,000 streams, one would have to open more files than it may. */
export function proxyConfiguration(port: number, server: number, isCompressing: boolean): string {
  return `
    daemon off;
    user root;
    worker_processes ${PROXY_WORKERS};
    worker_rlimit_nofile 20000;
    pid nginx.pid;
    events { worker_connections 18000; }
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      gzip ${isCompressing ? 'on' : 'off'};
      gzip_types text/event-stream;
      gzip_proxied any;
      server {
        listen 127.0.0.1:${port} backlog=511 reuseport;
        location / {
          proxy_pass http://127.0.0.1:${server};
          proxy_http_version 1.1;
          proxy_set_header Connection '';
          proxy_read_timeout 300s;
        }
      }
    }`;
}
