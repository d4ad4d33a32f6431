import { sse } from '@tidings/koa';
import Koa from 'koa';
import { answer, behaviourOf, hub } from './behaviours.mjs';

const app = new Koa();
app.silent = true;
app.use(sse({ hub }));
app.use(async ctx => {
  const text = await answer(ctx.path);
  if (text === undefined) await behaviourOf(ctx.path)(ctx.sse());
  else ctx.body = text;
});
app.listen(Number(process.env.PORT), '127.0.0.1');
