// Fails on words that the documentation does not use: each thing has one name, the standard term of the field.
// Checks prose only. Code, comments and addresses are left out.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What is not written, and what is written instead. */
const flagged = [
  [/\bpeers?\b(?! dependenc)/, 'client'],
  // Files of the engine have this word in their names.
  [/(?<![\w/-])readers?\b(?![/-])/, 'client'],
  [/\b(comes?|coming|came) back\b/, 'reconnects'],
  [/\b(goes|go|going|went) on\b(?! the wire)/, 'resumes, continues'],
  [/\bwho(ever)? (leaves?|comes|has left)\b/, 'the client that disconnects, connects'],
  [/\b(is|are|was|were) (told|let know)\b/, 'receives an event'],
  [/\bwhose it is\b|\bwhom it belongs to\b/, 'owner'],
  [/\blife of (the|a) (hub|log)\b/, 'epoch'],
  [/\bturns? of the (request|event loop)\b|\bin (one|the same|a later) turn\b/, 'tick'],
  [/\blaggards?\b|\blags behind\b/, 'slow consumer'],
  [/\btaken for dead\b|\bpatien(ce|t)\b/, 'times out, time limit'],
  [/\b(is|are|was|been) (cut|cut off)\b|\bcuts?\b(?! in\b)|\bhangs? up\b/, 'aborts, closes the connection'],
  [/\bholes?\b/, 'gap'],
  [/\bmend(s|ed|ing)?\b/, 'repair'],
  [/\b(wakes?|woken)\b/, 'schedule, run'],
  [/\b(is|are) gone\b|\bforgotten\b/, 'trimmed, evicted, expired, deleted'],
  [/\bin silence\b|\bnothing of it\b/, 'a sentence that says what happens'],
  [/\bstands? (still|in the log)\b|\bwhere it stands\b/, 'position'],
  [/\bthe newest of each\b/, 'the latest event of each key'],
  [/\bwhoever\b|\bnobody\b|\bsomebody\b/, 'a noun: the client, the user, no process'],
  [/\bfor ever\b/, 'forever, repeatedly'],
];

const markdown = folder =>
  readdirSync(root + folder)
    .filter(name => name.endsWith('.md'))
    .map(name => `${folder}${name}`);
const readmes = folder => readdirSync(root + folder).map(name => `${folder}${name}/README.md`);
const files = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...markdown('docs/').filter(name => name !== 'docs/compatibility.md'),
  ...readmes('packages/'),
  ...readmes('examples/'),
];

/** The prose of a page, with its line breaks. */
function proseOf(text) {
  const blank = match => match.replaceAll(/[^\n]/g, ' ');
  return text
    .replaceAll(/<!--[\s\S]*?-->/g, blank)
    .replaceAll(/^```[\s\S]*?^```$/gm, blank)
    .replaceAll(/`[^`]*`/g, blank)
    .replaceAll(/\]\([^)]*\)/g, blank);
}

let count = 0;
for (const file of files) {
  for (const [index, line] of proseOf(readFileSync(root + file, 'utf8'))
    .split('\n')
    .entries()) {
    for (const [pattern, instead] of flagged) {
      const [found] = new RegExp(pattern, 'i').exec(line) ?? [];
      if (found === undefined) continue;
      console.error(`${file}:${index + 1}: "${found}": write ${instead}`);
      count += 1;
    }
  }
}
if (count > 0) process.exitCode = 1;
