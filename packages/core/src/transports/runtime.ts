/** Bun before this version emits no 'close' on responses of `node:http` when a client disconnects. */
const OLDEST_BUN = [1, 4];

export function isOldBun(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_BUN;
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

let isChecked = false;

/** Warns once about a runtime on which streams do not notice that their client has disconnected. */
export function checkRuntime(): void {
  if (isChecked) return;
  isChecked = true;
  const { bun } = process.versions;
  if (bun === undefined || !isOldBun(bun)) return;
  process.emitWarning(
    `tidings: with node:http, Bun ${bun} does not report that a client has disconnected, so streams stay open: use Bun ` +
      `${OLDEST_BUN.join('.')} or later`,
  );
}
