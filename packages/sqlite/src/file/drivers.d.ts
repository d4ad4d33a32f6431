// Drivers that have no types here: those of Node.js 20 lack `node:sqlite`. They import nothing: driver.ts refers to this file.

declare module 'node:sqlite' {
  export const DatabaseSync: new (
    file: string,
  ) => {
    prepare(sql: string): {
      all(...parameters: (string | number | null)[]): unknown[];
      get(...parameters: (string | number | null)[]): unknown;
      run(...parameters: (string | number | null)[]): unknown;
    };
    exec(sql: string): unknown;
    close(): unknown;
  };
}

declare module 'better-sqlite3' {
  export { DatabaseSync as default } from 'node:sqlite';
}
