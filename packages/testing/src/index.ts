export type { TestClient } from './client.ts';
export { connect } from './connect.ts';
export type { FetchApplication } from './in-process.ts';
export type { ConnectOptions } from './question.ts';
export type { ReceivedEvent } from './received-event.ts';
export type { Target } from './target.ts';
