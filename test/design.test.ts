import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('..', import.meta.url);

test('each copy of design/ is up to date', () => {
  const { stderr } = spawnSync(process.execPath, ['scripts/copy-design.mjs', '--check'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
});

const css = readFileSync(new URL('design/tokens.css', root), 'utf8');
const tokens = new Map(
  Array.from(css.matchAll(/--([\w-]+): light-dark\((#\w+), (#\w+)\)/g), ([, name, light, dark]) => [
    name,
    { light, dark },
  ]),
);
const text = ['text', 'muted', 'accent', 'good', 'waiting', 'bad'];
const series = Array.from({ length: 8 }, (_, index) => `series-${index + 1}`);
const pairs = [
  ...[...text, ...series].flatMap(name => ['page', 'surface', 'raised'].map(on => [name, on] as const)),
  ['on-accent', 'accent'] as const,
  ['text', 'selected'] as const,
];

test.each(['light', 'dark'] as const)('colors have the contrast that WCAG AA asks for, %s', scheme => {
  const luminance = (name: string) => {
    const hex = tokens.get(name)?.[scheme] ?? '';
    const [red = 0, green = 0, blue = 0] = [1, 3, 5].map(at => {
      const share = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one: string, other: string) => {
    const [low = 0, high = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  expect(pairs.filter(pair => !(contrast(...pair) >= 4.5))).toEqual([]);
});

test('each example has the same header: name, state, README, and the next example', () => {
  const names = readdirSync(new URL('examples', root)).sort();
  const wrong = names.filter((name, index) => {
    const folder = new URL(`examples/${name}/`, root);
    const file = ['public/index.html', 'page.html', 'views.ts'].find(file =>
      existsSync(new URL(file, folder)),
    );
    const page = readFileSync(new URL(file as string, folder), 'utf8');
    const [, header = ''] = /<header class="top"[^>]*>([\s\S]*?)<\/header>/.exec(page) ?? [];
    const next = names[(index + 1) % names.length];
    const parts = [
      '<h1>',
      'id="state" class="state" role="status"',
      '<a href="/readme">README</a>',
      `<code>npm start ${next}</code>`,
    ];
    return !parts.every(part => header.includes(part));
  });
  expect(wrong).toEqual([]);
});
