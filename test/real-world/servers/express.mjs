import { sse } from '@tidings/express';
import express from 'express';
import { answer, behaviourOf, hub } from './behaviours.mjs';

const app = express();
app.use(sse({ hub }));
app.use(async (req, res) => {
  const text = await answer(req.path);
  if (text === undefined) await behaviourOf(req.path)(res.sse());
  else res.send(text);
});
// By its four parameters Express knows it for what it is.
app.use((_error, _req, res, _next) => res.status(500).send('failed'));
app.listen(Number(process.env.PORT), '127.0.0.1');
