// Loaded only if a client has the option `shared`.
export { SharedConnection } from './shared/shared-connection.ts';
