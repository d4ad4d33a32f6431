import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/model/judge/*.test.ts'], testTimeout: 20_000 },
});
