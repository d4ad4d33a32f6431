// Loaded when a client has `control` and is shared, and only then.
export { Tabs } from './shared/tabs.ts';
