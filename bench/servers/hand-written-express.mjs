// The same in Express, whose responses are slower to work with: it changes their prototype.
import http from 'node:http';
import express from 'express';
import { createLoop } from './hand-written.mjs';

/** @returns {import('./host.mjs').Subject} */
export function start() {
  const { answer, publish } = createLoop();
  const app = express();
  app.get('/', (_req, res) => answer(res));
  return { server: http.createServer(app), publish };
}
