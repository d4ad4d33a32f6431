import { type Course, type Move, SETTING } from './course.ts';
import type { Line, Run } from './run.ts';

/** What happened in a run that was traced, one line a move, and what each client was given. */
export function printTrace(course: Course, run: Run): string {
  const { failure, trace = [] } = run;
  const lines = [failure === undefined ? 'clean' : `${failure.client}: ${failure.fault}: ${failure.text}`];
  const { moves: _, channels = {}, nodes, ...rest } = course;
  lines.push(['in one process', 'one node with a broker', 'two nodes'][nodes] ?? `${nodes} nodes`);
  for (const [name, value] of Object.entries(rest)) lines.push(`${name}: ${JSON.stringify(value)}`);
  for (const [name, setting] of Object.entries(channels)) {
    const own = Object.entries(setting).filter(([key, value]) => {
      return JSON.stringify(value) !== JSON.stringify(SETTING[key as keyof typeof SETTING]);
    });
    if (own.length > 0)
      lines.push(
        `channel ${name}: ${own.map(([key, value]) => `${key} ${JSON.stringify(value)}`).join(', ')}`,
      );
  }
  for (const line of trace) lines.push(...printLine(line));
  lines.push(JSON.stringify(course));
  return lines.join('\n');
}

function printLine({ move, notes }: Line): string[] {
  const title = move === undefined ? '' : printMove(move);
  if (title === '' && notes.length === 0) return [];
  return [title || '(settling)', ...notes.map(note => `      ${note}`)];
}

function printMove({ move, ...rest }: Move): string {
  const words = Object.entries(rest).map(([key, value]) => {
    if (key === 'client' || key === 'channel' || value === true) return value === true ? key : String(value);
    return `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`;
  });
  return `  ${[move, ...words].join(' ')}`;
}
