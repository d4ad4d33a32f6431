import { describe, expect, it } from 'vitest';
import { compare } from '../src/position.ts';

describe('the order of positions', () => {
  it('follows their numbers within an epoch', () => {
    expect(compare('e-9', 'e-10')).toBeLessThanOrEqual(-1);
    expect(compare('e-10', 'e-9')).toBeGreaterThanOrEqual(1);
    expect(compare('e-1', 'e-1')).toBe(0);
  });

  it('puts a backfill just before its position, and the end just after it', () => {
    expect(compare('e-9~', 'e-9')).toBeGreaterThan(-1);
    expect(compare('e-9~', 'e-9')).toBeLessThan(0);
    expect(compare('e-9.', 'e-9')).toBeGreaterThan(0);
    expect(compare('e-9.', 'e-10~')).toBeLessThan(0);
  });

  it.each([
    ['of different epochs', 'e-1', 'f-1'],
    ['of another server', '1', '2'],
    ['of none', '', 'e-1'],
  ])('is unknown %s', (_, a, b) => {
    expect(compare(a, b)).toBeNaN();
    expect(compare(a, a)).toBe(0);
  });
});
