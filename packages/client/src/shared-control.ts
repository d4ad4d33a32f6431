// Loaded only if a client has the options `control` and `shared`.
export { Tabs } from './shared/tabs.ts';
