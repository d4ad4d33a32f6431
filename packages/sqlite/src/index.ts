export { sqliteBroker } from './broker.ts';
export type { SqliteDatabase, SqliteStatement, SqlValue } from './file/driver.ts';
export type { SqliteBrokerOptions } from './options.ts';
