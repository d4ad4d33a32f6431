import { createHub } from '@tidings/core';
import { connect } from '@tidings/testing';
import request from 'supertest';
import { expect, it } from 'vitest';
import { expressApp } from './apps.ts';

it('works together with supertest, on one application', async () => {
  const hub = createHub();
  const app = expressApp(hub).post('/prices', async (req, res) => {
    await hub.publish('prices', req.body, { event: 'tick' });
    res.sendStatus(201);
  });
  const client = await connect(app, '/prices');
  await request(app).post('/prices').type('text').send('12.3').expect(201);
  expect((await client.next('tick')).data).toBe('12.3');
  await client.close();
  const ended = await request(app)
    .get('/countdown')
    .expect(200)
    .expect('content-type', 'text/event-stream; charset=utf-8');
  expect(ended.text).toContain('data: 3\n\ndata: 2\n\ndata: 1\n\n');
});
