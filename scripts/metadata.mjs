// Copies `homepage`, `bugs` and `repository` of the root package.json into every package, and into the links of their
// READMEs. With --check it writes nothing, and fails if something would change or a link has no target.
// `node scripts/metadata.mjs https://github.com/owner/name https://owner.github.io/name/` sets the addresses first; the
// second one is optional.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { addresses, brokenLinks } from './links.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const args = process.argv.slice(2);
const isCheck = args[0] === '--check';
const problems = [];

const before = addresses();
const [repository = before.repository, homepage = before.homepage] = isCheck ? [] : args;
const readdress = text =>
  text.replaceAll(before.homepage, homepage).replaceAll(before.repository, repository);
rewrite('package.json', readdress);

for (const name of readdirSync(`${root}packages`)) {
  const folder = `packages/${name}`;
  rewrite(`${folder}/package.json`, text => {
    const { name, version, description, keywords, ...others } = JSON.parse(text);
    const metadata = {
      homepage,
      bugs: { url: `${repository}/issues` },
      repository: { type: 'git', url: `git+${repository}.git`, directory: folder },
    };
    const all = { name, version, description, keywords, ...others, ...metadata };
    // Right after the keywords, whether they were there or not.
    const order = [
      'name',
      'version',
      'description',
      'keywords',
      ...Object.keys(metadata),
      ...Object.keys(others),
    ];
    return `${JSON.stringify(Object.fromEntries(order.map(key => [key, all[key]])), undefined, 2)}\n`;
  });
  rewrite(`${folder}/README.md`, readdress);
  problems.push(...brokenLinks(readFileSync(`${root}${folder}/README.md`, 'utf8'), `${folder}/README.md`));
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

function rewrite(file, change) {
  const text = readFileSync(root + file, 'utf8');
  const changed = change(text);
  if (changed === text) return;
  if (isCheck) problems.push(`${file} differs from the root package.json: run node scripts/metadata.mjs`);
  else writeFileSync(root + file, changed);
}
