export type { TestClient } from './client.ts';
export { connect } from './connect.ts';
export type { FetchApplication } from './in-process.ts';
export type { ReceivedComment, ReceivedEvent, ReceivedItem } from './received-event.ts';
export type { ConnectOptions } from './request.ts';
export type { Target } from './target.ts';
