import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Broker } from '@tidings/core';
import { afterAll } from 'vitest';
import { brokerContract } from '../brokers/contract.ts';
import { root, snippet } from '../support/snippets.ts';

interface Page {
  MemoryLog: new () => object;
  memoryBroker(log: object): Broker;
}

// Among the tests, so that the packages are found as from any other.
const folder = mkdtempSync(`${root}test/.snippets-`);
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(`${folder}/broker.ts`, snippet('docs/broker.md', 'broker'));
const { MemoryLog, memoryBroker }: Page = await import(`${folder}/broker.ts`);

const logs = new Map<string, object>();
brokerContract({
  name: 'in memory, as the page shows it',
  hasLeases: false,
  broker(name) {
    const log = logs.get(name) ?? new MemoryLog();
    logs.set(name, log);
    return memoryBroker(log);
  },
});
