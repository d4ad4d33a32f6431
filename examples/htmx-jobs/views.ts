import escapeHtml from 'escape-html';

export interface Job {
  id: string;
  /** As somebody typed it. */
  name: string;
  files: number;
  /** How many of the files are done. */
  done: number;
  state: 'running' | 'done' | 'failed';
}

export const startPage = () =>
  layout(
    'Jobs',
    `<form class="panel" hx-post="/jobs" hx-target="#error" hx-disabled-elt="find button">
      <label>Name <input name="name" maxlength="60" autocomplete="off" placeholder="Holiday" required></label>
      <label>Photos <input name="files" type="number" min="1" max="200" value="40" required></label>
      <label class="check"><input name="fails" type="checkbox"> Let it fail halfway</label>
      <button type="submit">Start</button>
      <div id="error" role="alert"></div>
    </form>
    <div class="panel">
      <h2>Jobs of the last hour</h2>
      <section hx-ext="sse" sse-connect="/events" sse-swap="jobs"></section>
    </div>`,
  );

// Each event of the job's channel is a fragment, and goes where `sse-swap` names it. `sse-close` stops the extension
// after `done`: unlike an EventSource, it would reconnect after a 204.
export const jobPage = ({ id, name }: Job) =>
  layout(
    escapeHtml(name),
    `<p class="back"><a href="/">← All jobs</a></p>
    <article class="panel" hx-ext="sse" sse-connect="/jobs/${id}/events" sse-close="done">
      <h2>${escapeHtml(name)}</h2>
      <p sse-swap="begin,done" role="status">Waiting for the server</p>
      <div class="progress" sse-swap="progress"><progress aria-label="Photos"></progress><small>&nbsp;</small></div>
      <div class="frame">
        <div class="log" tabindex="0" role="region" aria-label="Log"><ol id="log" sse-swap="log" hx-swap="beforeend"></ol></div>
      </div>
      <div hx-get="/jobs/${id}" hx-trigger="sse:reset" hx-target="body"></div>
    </article>`,
  );

export const goneMessage =
  'The server does not have this job: it ended more than an hour ago, or the server was restarted. <a href="/">Start another job</a>';

export const gonePage = () =>
  layout('Job not found', `<article class="panel"><p role="status">${goneMessage}</p></article>`);

export const errorMessage = (text: string) => `<p>${escapeHtml(text)}</p>`;

export const jobList = (jobs: Job[]) =>
  jobs.length === 0
    ? '<p class="quiet">None</p>'
    : `<ul>${jobs
        .map(
          job =>
            `<li><a href="/jobs/${job.id}">${escapeHtml(job.name)}</a> <small>${describe(job)}</small></li>`,
        )
        .reverse()
        .join('')}</ul>`;

/** A page that receives a job from its beginning may show a part of it already: this empties its log. */
export const beginning = (job: Job) => `${describe(job)}<ol id="log" hx-swap-oob="innerHTML"></ol>`;

export const progressBar = ({ done, files }: Job) =>
  `<progress aria-label="Photos" max="${files}" value="${done}"></progress><small>${done} of ${files}</small>`;

export const logLine = (text: string) => `<li>${escapeHtml(text)}</li>`;

export const describe = ({ state, done, files }: Job) =>
  ({
    running: `Running: ${photos(files)}`,
    done: `Done: ${photos(files)}`,
    failed: `Failed after ${done} of ${photos(files)}`,
  })[state];

const photos = (count: number) => `${count} ${count === 1 ? 'photo' : 'photos'}`;

const layout = (title: string, main: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="htmx-config" content='{"responseHandling":[{"code":"[2345]..","swap":true}]}'>
    <meta name="description" content="Progress and log of long jobs, sent as Server-Sent Events with Tidings.">
    <title>${title} · Tidings</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%230b6e6e'/%3E%3Cpath d='M7 12h18M7 20h11' fill='none' stroke='white' stroke-width='4' stroke-linecap='round'/%3E%3C/svg%3E">
    <link rel="stylesheet" href="/design.css">
    <link rel="stylesheet" href="/style.css">
    <script src="/htmx/htmx.min.js"></script>
    <script src="/htmx-sse/sse.min.js"></script>
    <script src="/state.js" defer></script>
  </head>
  <body>
    <header class="top" data-state="waiting">
      <h1>Jobs</h1>
      <p id="state" class="state" role="status">Connecting</p>
      <nav aria-label="Example">
        <a href="/readme">README</a>
        <details>
          <summary>Next example</summary>
          <p>Timeline: <code>npm start koa-timeline</code></p>
        </details>
      </nav>
      <p>The work is simulated: no photo is converted.</p>
    </header>
    <main>
    ${main}
    </main>
  </body>
</html>
`;
