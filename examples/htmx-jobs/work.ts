import { setTimeout } from 'node:timers/promises';

/** Ms that a file takes. */
const PACE = 150;

/** Stands in for real work: takes its time, does nothing, and says what it would have done, file by file. */
export async function* convert(files: number, fails: boolean): AsyncGenerator<string> {
  for (let file = 1; file <= files; file++) {
    await setTimeout(PACE);
    const name = `photo-${String(file).padStart(3, '0')}`;
    if (fails && file > files / 2) throw new Error(`${name}.raw is damaged`);
    yield `${name}.raw → ${name}.webp`;
  }
}
