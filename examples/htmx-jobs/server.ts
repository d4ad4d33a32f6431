import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createHub } from '@tidings/core';
import { gracefulShutdown } from '@tidings/core/node';
import { sse } from '@tidings/express';
import express from 'express';
import * as views from './views.ts';
import { convert } from './work.ts';

const port = Number(process.env.PORT ?? 3000);
const host = process.env.HOST ?? '127.0.0.1';
/** Ms that a job is retained after its end. */
const kept = 60 * 60_000;
/** How many jobs there may be, including those that have ended. */
const most = 50;

/** What is published where. All of it is HTML. */
interface Channels {
  jobs: { jobs: string };
  [job: `job:${string}`]: { begin: string; progress: string; log: string; done: string };
}

// Of the list, the newest event is enough. Of a job, all events are retained while its page can be opened.
const hub = createHub<Channels>({
  channels: name => (name === 'jobs' ? { compact: true } : { history: { events: 1_000, age: 2 * kept } }),
});
const jobs = new Map<string, views.Job>();

const app = express();
app.use(sse({ hub }), express.urlencoded({ extended: false }));

app.get('/', (_req, res) => {
  res.send(views.startPage());
});

app.get('/events', (_req, res) => {
  res.sse({ retry: 1_000 }).subscribe('jobs');
});

app.get('/jobs/:id', (req, res) => {
  const job = jobs.get(req.params.id);
  if (job === undefined) res.status(404).send(views.gonePage());
  else res.send(views.jobPage(job));
});

app.get('/jobs/:id/events', (req, res) => {
  const job = jobs.get(req.params.id);
  // After an error, the page would request it again and again. An event `done` stops it.
  if (job === undefined) res.sse().stream([views.goneMessage], { event: 'done' });
  else res.sse({ retry: 1_000 }).subscribe(`job:${job.id}`, { from: 'start' });
});

app.post('/jobs', (req, res) => {
  const { name, files, fails } = req.body ?? {};
  const refuse = (status: number, message: string) => res.status(status).send(views.errorMessage(message));
  if (typeof name !== 'string' || name.trim() === '' || name.length > 60) {
    return refuse(422, 'A job needs a name of 1 to 60 characters.');
  }
  if (typeof files !== 'string' || !/^\d{1,3}$/.test(files) || Number(files) < 1 || Number(files) > 200) {
    return refuse(422, 'A job takes 1 to 200 photos.');
  }
  if (jobs.size >= most) return refuse(503, `There are ${most} jobs already. Try again later.`);
  const job: views.Job = {
    id: randomUUID(),
    name: name.trim(),
    files: Number(files),
    done: 0,
    state: 'running',
  };
  jobs.set(job.id, job);
  run(job, fails === 'on');
  res.status(201).set('HX-Redirect', `/jobs/${job.id}`).end();
});

const require = createRequire(import.meta.url);
app.use('/htmx', express.static(dirname(require.resolve('htmx.org'))));
app.use('/htmx-sse', express.static(dirname(require.resolve('htmx-ext-sse'))));
app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
app.get('/readme', (_req, res) => {
  res.type('text').sendFile(fileURLToPath(new URL('README.md', import.meta.url)));
});

publishList();

async function run(job: views.Job, fails: boolean) {
  const channel = hub.channel(`job:${job.id}`);
  publishList();
  channel.publish(views.beginning(job), { event: 'begin' });
  const isComplete = await channel.from(work(job, fails), {
    event: ({ event }) => event,
    map: ({ html }) => html,
    end: false,
  });
  // A server that stops cancels it, and sends what is published here before it ends the streams.
  if (job.state === 'running') job.state = isComplete ? 'done' : 'failed';
  channel.publish(views.describe(job), { event: 'done' });
  // Nothing follows: the streams end, and who comes back for more is told that there is none.
  channel.end();
  publishList();
  setTimeout(() => {
    jobs.delete(job.id);
    publishList();
  }, kept);
}

async function* work(
  job: views.Job,
  fails: boolean,
): AsyncGenerator<{ event: 'log' | 'progress'; html: string }> {
  try {
    for await (const line of convert(job.files, fails)) {
      job.done += 1;
      yield { event: 'log', html: views.logLine(line) };
      yield { event: 'progress', html: views.progressBar(job) };
    }
  } catch (error) {
    job.state = 'failed';
    yield { event: 'log', html: views.logLine(String(error)) };
  }
}

function publishList() {
  hub.publish('jobs', views.jobList([...jobs.values()]), { event: 'jobs' });
}

const server = app.listen(port, host, error => {
  if (error) {
    console.error(`Cannot listen: ${error.message}. Set PORT to another port.`);
    process.exit(1);
  }
  console.log(`Jobs: http://${host}:${port}`);
});

gracefulShutdown(server, hub, { within: 5_000, retry: [1_000, 3_000] });
