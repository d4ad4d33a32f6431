import { start as startWith } from './tidings-node.mjs';

export const start = () => startWith({ channels: () => ({ flushInterval: 100 }) });
