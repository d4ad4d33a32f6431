// Copies design/ to whatever serves it. A copy of an example works alone, so each has the file in its own folder.
// With --check: names the copies that differ, and fails if there are any.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const read = name => readFileSync(new URL(name, root), 'utf8');

const design = `/* A copy of design/ in the repository of Tidings, by scripts/copy-design.mjs. Yours to change in a copy. */
${read('design/tokens.css')}
${read('design/page.css')}`;

const copies = [
  'packages/inspector/page/styles/design.css',
  ...readdirSync(new URL('examples/', root)).map(name => {
    const hasPublic = existsSync(new URL(`examples/${name}/public`, root));
    return `examples/${name}/${hasPublic ? 'public/' : ''}design.css`;
  }),
].map(name => new URL(name, root));

for (const copy of copies) {
  if (existsSync(copy) && readFileSync(copy, 'utf8') === design) continue;
  if (process.argv.includes('--check')) {
    console.error(`${copy.pathname} differs from design/. Run node scripts/copy-design.mjs`);
    process.exitCode = 1;
  } else writeFileSync(copy, design);
}
