import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { clientFile } from '@tidings/client/files';
import { describe, expect, it } from 'vitest';

describe('the files for pages without a bundler', () => {
  it('match the sources', () => {
    const script = fileURLToPath(new URL('../../../scripts/embed-client.mjs', import.meta.url));
    execFileSync(process.execPath, [script, '--check']);
  });

  it('are two modules, and the first imports the other', () => {
    const { body } = clientFile('/tidings/client.js', '/tidings') ?? {};
    const [, shared = ''] = /import\("\.(\/shared-\w+\.js)"\)/.exec(body ?? '') ?? [];
    expect(clientFile(`/tidings${shared}`, '/tidings')?.body).toContain('BroadcastChannel');
  });

  it('have a strong ETag, and are not sent again to a client that has them', () => {
    const file = clientFile('/client.js', '');
    const etag = file?.headers.etag ?? '';
    expect(etag).toMatch(/^"[\w-]{16}"$/);
    expect(clientFile('/client.js', '', `"other", ${etag}`)).toMatchObject({ status: 304, body: '' });
    expect(clientFile('/client.js', '', '"other"')?.status).toBe(200);
  });

  it.each(['/client.js', '/tidings/other.js', '/tidings', '/tidings/__proto__', '/tidingsclient.js'])(
    'do not exist at %s',
    path => {
      expect(clientFile(path, '/tidings')).toBeUndefined();
    },
  );
});
