// Loaded when a client is shared, and only then.
export { SharedConnection } from './shared/shared-connection.ts';
