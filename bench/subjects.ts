import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { native } from '@tidings/native';
import { previousBuild } from './previous.ts';
import { pathOf } from './program.ts';
import { Server } from './server.ts';

/** A server that is measured: one row of the tables. */
export interface Subject {
  readonly name: string;
  readonly title: string;
  /** What can be measured from inside, too: it runs on Node, in `servers/host.mjs`. */
  readonly onNode: boolean;
  /** It sends a client that comes back what it has missed. */
  readonly resumes?: boolean;
  /** It can end its streams in order. */
  readonly drains?: boolean;
  /** Its fan-out shows what its framework costs; all else it has in common with another. */
  readonly fanOutOnly?: boolean;
  /** It stands for its like where a measurement takes long. */
  readonly isPrincipal?: boolean;
  /** It is Tidings with `@tidings/native`. */
  readonly isNative?: boolean;
  /** Whose release it is. */
  readonly version: () => string;
  /** Why it cannot be measured here; undefined: it can. */
  readonly missing?: () => string | undefined;
  readonly start: () => Promise<Server>;
}

/** Peers are compared with this one. */
export const REFERENCE = 'tidings-express';

const NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so';

export const subjects: readonly Subject[] = [
  tidings('tidings-express', 'Tidings, Express', 'express'),
  tidings('tidings-koa', 'Tidings, Koa', 'koa'),
  tidings('tidings-hono', 'Tidings, Hono', 'hono', '@hono/node-server'),
  { ...tidings('tidings-fastify', 'Tidings, Fastify', 'fastify'), isPrincipal: false, fanOutOnly: true },
  tidings('tidings-node', 'Tidings, node:http'),
  withNative('tidings-express-native', 'Tidings with @tidings/native, Express', 'express'),
  withNative('tidings-koa-native', 'Tidings with @tidings/native, Koa', 'koa'),
  withNative('tidings-node-native', 'Tidings with @tidings/native, node:http'),
  previous('tidings-express', 'Tidings, previous revision, Express'),
  previous('tidings-node', 'Tidings, previous revision, node:http'),
  { ...onNode('hand-written-express', '`res.write(buffer)`, Express'), fanOutOnly: true },
  { ...onNode('hand-written', '`res.write(buffer)`, node:http'), isPrincipal: true },
  { ...onNode('better-sse-express', 'better-sse, Express', 'better-sse'), fanOutOnly: true },
  { ...onNode('better-sse', 'better-sse, node:http', 'better-sse'), isPrincipal: true },
  onNode('express-sse', 'express-sse', 'express-sse'),
  { ...onNode('sse-channel', 'sse-channel, node:http', 'sse-channel'), resumes: true },
  { ...onNode('hono-stream-sse', "Hono's streamSSE", 'hono'), isPrincipal: true },
  onNode('h3', 'h3', 'h3'),
  onNode('fastify-sse', '@fastify/sse', '@fastify/sse', 'fastify'),
  {
    name: 'nchan',
    title: 'nchan (nginx, in C)',
    onNode: false,
    isPrincipal: true,
    resumes: true,
    version: nchanVersion,
    missing: () => (existsSync(NCHAN) ? undefined : 'apt-get install nginx-light libnginx-mod-nchan'),
    start: () => Server.nchan(NCHAN),
  },
  { ...onNode('socket', 'the limit on Node: `socket.write(chunk)`'), fanOutOnly: true },
  {
    name: 'limit',
    title: 'the limit: `write()` in C',
    onNode: false,
    isPrincipal: true,
    version: () => 'limit.c',
    start: () => Server.inC('limit'),
  },
];

export const principalSubjects = subjects.filter(({ isPrincipal }) => isPrincipal);

/** `--quick` measures Tidings, and the servers that it is compared with on the same framework. */
export function isInQuick({ name, isPrincipal, isNative }: Subject): boolean {
  return isPrincipal === true || isNative === true || name.endsWith('-express');
}

/** Collects events before it sends them: it would wait in a fan-out, which waits for each event. */
export const collecting = tidings('tidings-node-flush', 'Tidings, node:http, `flushInterval: 100`');

/** Those that can be looked into. */
export const nodeSubjects = subjects.filter(({ onNode, fanOutOnly }) => onNode && !fanOutOnly);

function tidings(name: string, title: string, ...packages: string[]): Subject {
  return {
    ...onNode(name, title, '@tidings/core', ...packages),
    isPrincipal: true,
    resumes: true,
    drains: true,
  };
}

function withNative(name: string, title: string, ...packages: string[]): Subject {
  return {
    ...tidings(name, title, '@tidings/native', ...packages),
    fanOutOnly: true,
    isPrincipal: false,
    isNative: true,
    missing: () => (native() === undefined ? 'its addon is not built' : undefined),
  };
}

/** A server with the packages of an earlier revision: `--previous`. */
function previous(name: string, title: string): Subject {
  return {
    ...tidings(name, title),
    name: name.replace('tidings', 'previous'),
    version: () => `Tidings ${previousBuild?.version}`,
    missing: () => (previousBuild === undefined ? '`--previous <revision>`' : undefined),
    start: () => Server.onNode(name, previousBuild?.packages),
  };
}

function onNode(name: string, title: string, ...packages: string[]): Subject {
  const version = () => packages.map(versionOf).join(', ') || `Node ${process.versions.node}`;
  return { name, title, onNode: true, version, start: () => Server.onNode(name) };
}

function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(pathOf(`node_modules/${name}/package.json`), 'utf8'));
  return `${name} ${version}`;
}

function nchanVersion(): string {
  const installed = execFileSync('dpkg-query', ['--show', 'libnginx-mod-nchan'], { encoding: 'utf8' });
  return `nchan ${/[\d.]+(?=\+|-)/.exec(installed)?.[0]}`;
}
