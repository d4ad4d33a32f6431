// What the broker uses of drivers that have no types here: those of Node.js 20 lack `node:sqlite`.

declare module 'node:sqlite' {
  export const DatabaseSync: new (file: string) => import('./driver.ts').SqliteDatabase;
}

declare module 'better-sqlite3' {
  const Database: new (file: string) => import('./driver.ts').SqliteDatabase;
  export default Database;
}
