import { defineConfig } from 'vitest/config';

/** Runs the cases of the suite that are about SSE, against the server at `CONFORMANCE_TEST_URL`. */
export default defineConfig({
  test: {
    include: ['dist/test-runner.js'],
    exclude: [],
    testNamePattern: /SSE Mode|SSE with Stream Closure/,
    testTimeout: 20_000,
  },
});
