import { setTimeout as sleep } from 'node:timers/promises';
import { createHub, type Hub } from '@tidings/core';
import { sse } from '@tidings/express';
import express, { type Response } from 'express';
import { describe, expect, type TestContext, test } from 'vitest';
import { listen } from '../support/server.ts';
import { type ModelSdk, modelSdks, type Part } from './model-sdks.ts';
import { describeSubject } from './subject.ts';

const WORDS = ['Good ', 'news:\n\n', '**all** is ', 'well ü 😀'];

/** Serves an answer to every POST. Heartbeats come between its parts. */
async function serve(answer: (res: Response, hub: Hub) => unknown, { onTestFinished }: TestContext) {
  const hub = createHub({ heartbeat: { interval: 20, event: 'ping' }, onError: () => {} });
  const app = express();
  app.use(sse({ hub }), express.json());
  app.post(/.*/, (_req, res) => void answer(res, hub));
  const { origin, kill } = await listen(app);
  onTestFinished(kill);
  return origin;
}

async function* slowly(parts: readonly Part[]) {
  for (const part of parts) {
    yield part;
    await sleep(60);
  }
}

async function wordsOf({ ask }: ModelSdk, origin: string): Promise<string[]> {
  const words: string[] = [];
  await ask(origin, word => words.push(word));
  return words;
}

const asEvent = { event: ({ event }: Part) => event, map: ({ data }: Part) => data };

describe.concurrent('SDKs of language models', () => {
  for (const sdk of modelSdks) {
    describeSubject(sdk, () => {
      const parts = sdk.parts(WORDS);

      test('a complete answer, with heartbeats', async context => {
        const origin = await serve(res => res.sse().stream(slowly(parts), asEvent), context);
        expect(await wordsOf(sdk, origin)).toEqual(WORDS);
        if (!sdk.failsAtIds) return;
        await context.annotate('Fails at an event with an id: use `stream()`, not a channel', 'note');
        await expect(wordsOf(sdk, await serveChannel(context))).rejects.toThrow(SyntaxError);
      });

      const serveChannel = (context: TestContext) =>
        serve(async (res, hub) => {
          res.sse({ markers: false, retry: 1_000 }).subscribe('answer', { from: 'start' });
          for await (const { event, data } of slowly(parts)) await hub.publish('answer', data, { event });
          await hub.channel('answer').end();
        }, context);

      if (!sdk.failsAtIds) {
        test('a complete answer from a channel, with `markers: false`', async context => {
          expect(await wordsOf(sdk, await serveChannel(context))).toEqual(WORDS);
        });
      }

      test('an interrupted answer throws', async context => {
        const origin = await serve(
          res =>
            res.sse().stream(async function* () {
              yield* slowly(parts.slice(0, -2));
              throw new Error('the model is gone');
            }, asEvent),
          context,
        );
        await expect(wordsOf(sdk, origin)).rejects.toThrow();
      });
    });
  }
});
