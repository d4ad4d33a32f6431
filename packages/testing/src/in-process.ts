import type { TestRequest } from './request.ts';
import type { TestResponse } from './response.ts';

/** An application that answers web Requests: Hono's, or any other. */
export interface FetchApplication {
  fetch(request: Request): Response | Promise<Response>;
}

/** Calls an application as its server would. */
export async function sendInProcess(
  app: FetchApplication,
  { path, method, headers, body }: TestRequest,
  signal: AbortSignal,
): Promise<TestResponse> {
  const leaving = new AbortController();
  const giveUp = () => leaving.abort(signal.reason);
  signal.addEventListener('abort', giveUp);
  const request = new Request(new URL(path, 'http://localhost'), {
    method,
    headers,
    body: body ?? null,
    signal: leaving.signal,
  });
  const given = new Promise<never>((_, reject) => {
    leaving.signal.addEventListener('abort', () => reject(leaving.signal.reason));
  });
  given.catch(() => {});
  const asked = Promise.resolve(app.fetch(request));
  const received = await Promise.race([asked, given]).catch(error => {
    // Nobody takes what comes too late.
    asked.then(late => late.body?.cancel()).catch(() => {});
    throw error;
  });
  signal.removeEventListener('abort', giveUp);
  return toTestResponse(received, () => leaving.abort());
}

function toTestResponse({ status, headers, body }: Response, abort: () => void): TestResponse {
  const reader = body?.getReader();
  let room = Promise.resolve();
  let isPaused = false;
  let makeRoom = () => {};
  const read = async (onChunk: (bytes: Uint8Array) => void) => {
    try {
      for (;;) {
        const result = await reader?.read();
        // Asked for before it was paused: not taken, either.
        await room;
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
      room = new Promise(resolve => {
        makeRoom = resolve;
      });
    },
    resume() {
      isPaused = false;
      makeRoom();
    },
    abort() {
      // Both are what a server does when its peer leaves. Neither tells a client anything.
      abort();
      reader?.cancel().catch(() => {});
      makeRoom();
    },
  };
}
