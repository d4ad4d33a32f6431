import { type Course, type Move, SETTING, type Setting } from './course.ts';
import type { Failure } from './run.ts';

/** Runs of a course that are spent on making it shorter, at most. */
const ATTEMPTS = 4_000;

type Judge = (course: Course) => Promise<Failure | undefined>;

/** Makes a course that fails shorter and simpler, as long as it fails in the same way. */
export async function shrink(course: Course, { fault }: Failure, judge: Judge): Promise<Course> {
  let best = course;
  let attempts = 0;
  const attempt = async (candidate: Course) => {
    if (attempts >= ATTEMPTS || candidate === best) return false;
    attempts += 1;
    if ((await judge(candidate))?.fault !== fault) return false;
    best = candidate;
    return true;
  };
  for (let isShorter = true; isShorter && attempts < ATTEMPTS; ) {
    isShorter = await dropMoves(() => best, attempt);
    for (const simpler of simplerWorlds(best)) isShorter = (await attempt(simpler(best))) || isShorter;
    for (let index = 0; index < best.moves.length; index++) {
      for (const move of simplerMoves(best.moves[index] as Move)) {
        if (await attempt({ ...best, moves: best.moves.with(index, move) })) {
          isShorter = true;
          break;
        }
      }
    }
  }
  return best;
}

/** Tries without moves: half of them, a quarter, and so on. */
async function dropMoves(
  best: () => Course,
  attempt: (course: Course) => Promise<boolean>,
): Promise<boolean> {
  let isShorter = false;
  for (
    let size = Math.ceil(best().moves.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < best().moves.length; ) {
      const moves = best().moves.toSpliced(at, size);
      if (await attempt({ ...best(), moves })) isShorter = true;
      else at += size;
    }
  }
  return isShorter;
}

/** Changes of what holds for the whole course that leave something out. */
function simplerWorlds(course: Course): ((course: Course) => Course)[] {
  const changes: ((course: Course) => Course)[] = [];
  const { channels = {}, broker = {} } = course;
  for (const key of [
    'slowWrites',
    'socketBuffer',
    'isCompressed',
    'oneOwner',
    'anonymous',
    'perClient',
    'maxAge',
    'publishTimeout',
    'broker',
  ] as const) {
    if (course[key] !== undefined) changes.push(({ [key]: _, ...rest }) => rest as Course);
  }
  for (const key of Object.keys(broker)) {
    changes.push(course => {
      const { [key as keyof typeof broker]: _, ...rest } = course.broker ?? {};
      return { ...course, broker: rest };
    });
  }
  for (const [name, setting] of Object.entries(channels)) {
    changes.push(course => {
      const { [name as keyof typeof channels]: _, ...rest } = course.channels ?? {};
      return { ...course, channels: rest };
    });
    for (const key of Object.keys(setting) as (keyof Setting)[]) {
      changes.push(course => {
        const { [key]: _, ...rest } = course.channels?.[name as keyof typeof channels] ?? {};
        return { ...course, channels: { ...course.channels, [name]: rest } };
      });
    }
    if (
      setting.history !== undefined &&
      JSON.stringify(setting.history) !== JSON.stringify(SETTING.history)
    ) {
      for (const events of [1, 4]) {
        changes.push(course => {
          const own = course.channels?.[name as keyof typeof channels];
          if (own?.history === undefined) return course;
          return { ...course, channels: { ...course.channels, [name]: { ...own, history: { events } } } };
        });
      }
    }
  }
  if (course.nodes > 1) changes.push(course => ({ ...course, nodes: 1 }));
  return changes;
}

const LEAST: Partial<Record<string, number>> = { count: 1, turns: 1 };

/** Moves that do less. */
function simplerMoves(move: Move): Move[] {
  const moves: Move[] = [];
  for (const [key, value] of Object.entries(move)) {
    const change = (to: unknown) => moves.push({ ...move, [key]: to } as Move);
    const { [key as 'move']: _, ...without } = move;
    if (['from', 'picky', 'except', 'gone', 'size', 'key', 'late', 'stored', 'of', 'count'].includes(key)) {
      moves.push(without as Move);
    }
    if (key === 'node' && value !== 0) change(0);
    if (key === 'action') {
      moves.push(value as Move);
      for (const action of simplerMoves(value as Move)) change(action);
    }
    const least = LEAST[key];
    if (least !== undefined && typeof value === 'number' && value > least) {
      change(least);
      if (value > 2) change(Math.ceil(value / 2));
      change(value - 1);
    }
  }
  return moves;
}
