import type { NodeRequest } from './connection.ts';

export function mayHaveBody({ method }: NodeRequest): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/**
 * Discards a body that nothing reads. If it has bytes, reports that: an application that begins to read later would miss
 * them without an error.
 */
export function discardBody(req: NodeRequest, report: (error: Error) => void): void {
  req.once('data', () => {
    if (req.listenerCount('data') > 0 || req.listenerCount('readable') > 0) return;
    report(
      new Error(
        'a request body was discarded, because nothing read it before the stream began: read it before sse(), ' +
          'or call req.pause() before sse() and read it later',
      ),
    );
  });
}
