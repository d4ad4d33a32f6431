import type { Answer } from './answer.ts';
import type { Question } from './question.ts';

/** An application that answers web Requests: Hono's, or any other. */
export interface FetchApplication {
  fetch(request: Request): Response | Promise<Response>;
}

/** Calls an application as its server would. */
export async function askInProcess(
  app: FetchApplication,
  { path, method, headers, body }: Question,
  signal: AbortSignal,
): Promise<Answer> {
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
  const response = await Promise.race([asked, given]).catch(error => {
    // Nobody takes what comes too late.
    asked.then(late => late.body?.cancel()).catch(() => {});
    throw error;
  });
  signal.removeEventListener('abort', giveUp);
  return answer(response, () => leaving.abort());
}

function answer({ status, headers, body }: Response, abort: () => void): Answer {
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
    cut() {
      // Both are what a server does when its peer leaves. Neither tells a client anything.
      abort();
      reader?.cancel().catch(() => {});
      makeRoom();
    },
  };
}
