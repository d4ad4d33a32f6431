import { connect, type Events } from '@tidings/client';
import { Chance } from '../../../../test/model/chance.ts';
import { FakeTab, sleep } from './fake-tab.ts';
import { type Site, serveSite } from './site.ts';

const CHANNELS = ['a', 'b', 'c', 'all'];
const MOVES = ['close', 'crash', 'cut', 'block', 'block both', 'leave'] as const;
/** ms for what tabs do: more than enough. */
const PATIENCE = 15_000;

/** A leader that is lost while older events arrive leaves the others unsure of what the route's channels had. */
const INTERRUPTED = '{"reason":"interrupted","channels":["all"]}';

/** A tab, what it follows, and what it has received. */
class Page {
  readonly followed: readonly string[];
  readonly tab: FakeTab;
  readonly #events: Events;
  /** By channel. NaN: a reset, after which events may come again. */
  readonly #received = new Map<string, number[]>();
  /** The first number of each channel that was published after it was subscribed to. */
  #firsts: ReadonlyMap<string, number> | undefined;
  readonly #wrong: string[] = [];

  constructor(origin: string, followed: readonly string[], tab: FakeTab) {
    this.followed = [...followed, 'all'];
    this.tab = tab;
    for (const name of CHANNELS) this.#received.set(name, []);
    this.#events = tab.run(() =>
      connect(`${origin}/events`, {
        shared: true,
        control: '/control',
        fetch: tab.fetch as typeof fetch,
        retry: { initial: 10, max: 50 },
      }),
    );
    this.#events.on('message', ({ channel = '', data }) => this.#receive(channel, data as number));
    this.#events.on('reset', ({ data }) => {
      const reset = JSON.stringify(data);
      if (reset !== INTERRUPTED) this.#wrong.push(reset);
      this.#receive('all', Number.NaN);
    });
  }

  #receive(channel: string, number: number): void {
    this.tab.note('gets', channel, number);
    const numbers = this.#received.get(channel) as number[];
    const before = numbers.at(-1);
    numbers.push(number);
    const follows = before === undefined || Number.isNaN(before + number) || number === before + 1;
    if (!this.followed.includes(channel)) this.#wrong.push(`${channel} is not followed`);
    else if (!follows) this.#wrong.push(`${channel}: ${before}, ${number}`);
    const first = this.#firsts?.get(channel);
    if (numbers.length === 1 && first !== undefined && first < number)
      this.#wrong.push(`${channel}: ${first} is missing`);
  }

  async follow(published: ReadonlyMap<string, number>): Promise<void> {
    await this.tab.run(() => this.#events.subscribe(this.followed.slice(0, -1)));
    this.#firsts = new Map(published);
    for (const name of this.followed) {
      const [number = 0] = this.#received.get(name) as number[];
      if (number > (published.get(name) ?? 0)) this.#wrong.push(`${name}: begins with ${number}`);
    }
  }

  get isFollowing(): boolean {
    return this.#firsts !== undefined;
  }

  has(published: ReadonlyMap<string, number>): boolean {
    return this.followed.every(name => this.#received.get(name)?.at(-1) === (published.get(name) ?? 0) - 1);
  }

  /** What is wrong with what it has received. */
  get wrong(): readonly string[] {
    return this.#wrong;
  }

  dispatch(name: string): void {
    this.tab.run(() => this.tab.window.dispatchEvent(new Event(name)));
  }

  close(): void {
    this.tab.run(() => this.#events.close());
    this.tab.close();
  }
}

/** Tabs that share a connection, while the tab that has it is lost in every way. */
class Course {
  readonly wrong: string[] = [];
  /** When, which tab, and what happened. */
  readonly trace: unknown[][] = [];
  readonly #chance: Chance;
  readonly #site: Site;
  readonly #published = new Map<string, number>();
  readonly #pages: Page[] = [];

  constructor(site: Site, chance: Chance) {
    this.#site = site;
    this.#chance = chance;
  }

  async run(moves: number): Promise<void> {
    const chance = this.#chance;
    const pages = [0, 1, 2].map(index => this.#open(index));
    const isOver = Promise.all(pages).then(() => this.#move(moves));
    let isPublishing = true;
    isOver.finally(() => {
      isPublishing = false;
    });
    while (isPublishing) {
      await this.#publish();
      await sleep(chance.between(2, 12));
    }
    await isOver;
    await this.#publish();
    await this.#until('have everything', page => page.has(this.#published));
    for (const [index, page] of this.#pages.entries()) this.#close(index, page);
  }

  async #move(moves: number): Promise<void> {
    const chance = this.#chance;
    for (let move = 0; move < moves; move++) {
      const index = chance.between(0, 2);
      const kind = chance.of(MOVES);
      this.trace.push([kind, index]);
      this.#make(kind, index, this.#pages[index] as Page);
      await sleep(chance.between(0, chance.is(0.5) ? 20 : 500));
    }
    await this.#until('follow', page => page.isFollowing);
    await sleep(100);
  }

  #make(kind: (typeof MOVES)[number], index: number, page: Page): void {
    const chance = this.#chance;
    const block = ({ tab }: Page) => tab.block(chance.between(100, 1_200));
    if (kind === 'cut') this.#site.cut();
    else if (kind === 'leave') {
      page.dispatch('pagehide');
      sleep(chance.between(0, 300)).then(() => page.dispatch('pageshow'));
    } else if (kind === 'close' || kind === 'crash') {
      if (kind === 'crash') page.tab.close();
      this.#close(index, page);
      this.#open(index);
    } else {
      block(page);
      if (kind === 'block both') block(this.#pages[(index + 1) % 3] as Page);
    }
  }

  async #open(index: number): Promise<void> {
    const followed = [0, 1].map(n => CHANNELS[(index + n) % 3] as string);
    const name = `${index}.${this.trace.length}`;
    const tab = new FakeTab(this.#chance, (...what) => this.trace.push([performance.now(), name, ...what]));
    const page = new Page(this.#site.origin, followed, tab);
    this.#pages[index] = page;
    await sleep(this.#chance.between(0, 400));
    // It fails if the page is closed before.
    await page.follow(this.#published).catch(error => tab.note(error));
  }

  #close(index: number, page: Page): void {
    page.close();
    this.wrong.push(...page.wrong.map(what => `tab ${index}: ${what}`));
  }

  async #publish(): Promise<void> {
    for (const channel of CHANNELS) {
      const number = this.#published.get(channel) ?? 0;
      this.#published.set(channel, number + 1);
      await this.#site.publish(channel, number);
    }
  }

  async #until(what: string, holds: (page: Page) => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE;
    while (!this.#pages.every(holds)) {
      if (Date.now() > deadline) {
        this.wrong.push(`not all tabs ${what}`);
        return;
      }
      await sleep(20);
    }
  }
}

/** Returns what is wrong: nothing, if each tab has received each event of its channels once and in order. */
export async function runCourse(seed: number, moves = 6): Promise<{ wrong: string[]; trace: unknown[][] }> {
  const site = await serveSite();
  const course = new Course(site, new Chance(seed));
  await course.run(moves);
  site.close();
  return course;
}
