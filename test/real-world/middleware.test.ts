import { sse } from '@tidings/express';
import compression from 'compression';
import express, { type RequestHandler } from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { request } from '../support/client.ts';
import { listen, type Running } from '../support/server.ts';
import { describeSubject } from './subject.ts';

interface Middleware {
  package: string;
  create(): RequestHandler;
}

const express5: Middleware[] = [{ package: 'compression', create: () => compression({ threshold: 0 }) }];

let server: Running | undefined;
afterEach(() => server?.kill());

describe('Middleware in the same process', () => {
  for (const { package: name, create } of express5) {
    describeSubject({ name, package: name }, () => {
      test('events arrive one by one, as they are sent', async () => {
        const app = express();
        app.use(create(), sse());
        app.get('/', async (_req, res) => {
          const stream = res.sse();
          stream.send(1);
        });
        server = await listen(app);
        const client = await request(server.origin, '/', { headers: { 'Accept-Encoding': 'gzip' } });
        await client.until(({ events }) => events.length === 1);
        expect(client.headers['content-encoding']).toBeUndefined();
      });
    });
  }
});
