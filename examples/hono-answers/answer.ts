import OpenAI from 'openai';
import { canned } from './canned.ts';

const { OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL } = process.env;
const name = OPENAI_MODEL || 'gpt-5-mini';

/** Whether a model answers. Some services, on one's own machine, want no key. */
const hasModel = Boolean(OPENAI_API_KEY || OPENAI_BASE_URL);

/** What the page calls it. */
export const model = hasModel ? name : undefined;

// It reads OPENAI_BASE_URL by itself.
const openai = new OpenAI(
  hasModel
    ? { apiKey: OPENAI_API_KEY || 'none' }
    : {
        apiKey: 'none',
        baseURL: 'http://canned',
        fetch: async (url, init) => canned.request(String(url).slice('http://canned'.length), init),
      },
);

/** An answer, as events: what was written, and at last whether that is all of it. */
export type Part =
  | { event: 'text'; data: string }
  | { event: 'done'; data: string }
  | { event: 'failed'; data: string };

/** Asks the model, and stops it when the signal aborts. */
export async function* answer(prompt: string, signal?: AbortSignal): AsyncGenerator<Part> {
  try {
    const chunks = await openai.chat.completions.create(
      { model: name, messages: [{ role: 'user', content: prompt }], stream: true },
      { signal },
    );
    let end: string | null | undefined;
    for await (const { choices } of chunks) {
      const text = choices[0]?.delta.content;
      if (text) yield { event: 'text', data: text };
      end = choices[0]?.finish_reason ?? end;
    }
    if (signal?.aborted) return;
    // A connection that was cut may look like an end.
    if (end) yield { event: 'done', data: end };
    else yield { event: 'failed', data: 'The model has broken off: this is not the whole answer.' };
  } catch (error) {
    if (signal?.aborted) return;
    console.error(error);
    yield { event: 'failed', data: explain(error) };
  }
}

/** For the reader. What the upstream says is for the log: it may quote the key. */
function explain(error: unknown): string {
  const status = error instanceof OpenAI.APIError ? error.status : undefined;
  if (error instanceof OpenAI.APIConnectionError) return 'The model cannot be reached.';
  if (status === 401) return 'The model has refused the key of this server (401).';
  if (status === 429)
    return 'The model has too much to do, or the quota of this server is used up (429). Try again later.';
  if (status !== undefined) return `The model has refused to answer (${status}).`;
  return 'The model has broken off: this is not the whole answer.';
}
