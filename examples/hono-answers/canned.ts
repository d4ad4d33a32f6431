import { setTimeout as wait } from 'node:timers/promises';
import { sse } from '@tidings/hono';
import { Hono } from 'hono';

/** Stands in for a model, where there is no key: speaks the protocol of the OpenAI API, and says the same always. */
export const canned = new Hono();
canned.use(sse());

const TEXT = `These words are canned: no model has written them. They come from a small program inside this server, which speaks the protocol of the OpenAI API, one word after the other.

Set OPENAI_API_KEY, and OPENAI_BASE_URL for a service other than OpenAI, and the model that you choose answers instead.

Until then, see what happens to this text. Leave the page while it is written: where the answer ends with its reader, the program stops at once, in the middle of a word if need be. Where the answer is kept, it goes on without you, and when you come back, in this tab or in another one, you are given what you have missed and then what follows.

Ask for “401”, “429” or “cut” to see what becomes of an upstream that refuses the key, has had enough of you, or breaks off in the middle.`;

canned.post('/chat/completions', async c => {
  const { messages } = await c.req.json<{ messages: { content: string }[] }>();
  const wish = /\b(401|429|cut)\b/.exec(messages.at(-1)?.content ?? '')?.[1];
  if (wish === '401' || wish === '429') return c.json({ error: { message: 'canned' } }, Number(wish) as 401);
  return c.var.sse(stream =>
    stream.stream(async function* () {
      const words = TEXT.split(/(?<=\s)/).slice(0, wish === 'cut' ? 20 : undefined);
      for (const content of words) {
        yield { choices: [{ index: 0, delta: { content }, finish_reason: null }] };
        await wait(60);
      }
      if (wish === 'cut') return;
      yield { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
      yield '[DONE]';
    }),
  );
});
