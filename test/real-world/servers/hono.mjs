import { sse } from '@tidings/hono';
import { Hono } from 'hono';
import { answer, behaviourOf, hub } from './behaviours.mjs';

const app = new Hono();
app.onError((_error, c) => c.text('failed', 500));
app.use(sse({ hub }));
app.all('*', async c => {
  const text = await answer(c.req.path);
  return text === undefined ? c.var.sse(behaviourOf(c.req.path)) : c.text(text);
});

export default { fetch: app.fetch };
