// Types of drivers that may have none: the types of Node.js 20 lack `node:sqlite`. The file has no imports, so that its
// declarations are global. driver.ts references it.

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
