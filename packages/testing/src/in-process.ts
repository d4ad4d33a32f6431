import type { TestRequest } from './request.ts';
import type { TestResponse } from './response.ts';

/** An application that responds to web Requests: Hono, or any other. */
export interface FetchApplication {
  fetch(request: Request): Response | Promise<Response>;
}

/** Calls an application like its server would. */
export async function sendInProcess(
  app: FetchApplication,
  { path, method, headers, body }: TestRequest,
  signal: AbortSignal,
): Promise<TestResponse> {
  const disconnecting = new AbortController();
  const onAbort = () => disconnecting.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  const request = new Request(new URL(path, 'http://localhost'), {
    method,
    headers,
    body: body ?? null,
    signal: disconnecting.signal,
  });
  const aborted = new Promise<never>((_, reject) => {
    disconnecting.signal.addEventListener('abort', () => reject(disconnecting.signal.reason));
  });
  aborted.catch(() => {});
  const responding = Promise.resolve(app.fetch(request));
  const response = await Promise.race([responding, aborted]).catch(error => {
    // Cancels a response that comes too late.
    responding.then(late => late.body?.cancel()).catch(() => {});
    throw error;
  });
  signal.removeEventListener('abort', onAbort);
  return toTestResponse(response, () => disconnecting.abort());
}

function toTestResponse({ status, headers, body }: Response, abort: () => void): TestResponse {
  const reader = body?.getReader();
  let resumed = Promise.resolve();
  let isPaused = false;
  let resolveResumed = () => {};
  const read = async (onChunk: (bytes: Uint8Array) => void) => {
    try {
      for (;;) {
        const result = await reader?.read();
        // The read may have begun before `pause()`.
        await resumed;
        if (result?.value === undefined) return true;
        onChunk(result.value);
      }
    } catch {
      return false;
    }
  };
  return {
    status,
    headers,
    read,
    pause() {
      if (isPaused) return;
      isPaused = true;
      resumed = new Promise(resolve => {
        resolveResumed = resolve;
      });
    },
    resume() {
      isPaused = false;
      resolveResumed();
    },
    abort() {
      // A server does both when the client disconnects: it aborts the signal of the request, and cancels the body.
      abort();
      reader?.cancel().catch(() => {});
      resolveResumed();
    },
  };
}
