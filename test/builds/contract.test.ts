// What users run: a part of the contract, against the packages as they are packed. vitest.config.ts says in which format.
import { createHub } from '@tidings/core';
import { expect, it } from 'vitest';
import { PACKED } from '../support/packed.ts';
import '../contract/begin.test.ts';
import '../contract/send.test.ts';
import '../frameworks/fastify.test.ts';

it('tests the packed packages', () => {
  const file = new RegExp(
    `${PACKED}/node_modules/@tidings/core/dist/[\\w-]+\\.${process.env.PACKED_FORMAT}:`,
  );
  const isFromThere = expect.objectContaining({ stack: expect.stringMatching(file) });
  expect(() => createHub().channel('')).toThrow(isFromThere);
});
