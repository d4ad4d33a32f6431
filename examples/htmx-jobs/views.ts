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
    `<form hx-post="/jobs" hx-target="#error" hx-disabled-elt="find button">
      <label>Name <input name="name" maxlength="60" autocomplete="off" placeholder="Holiday" required></label>
      <label>Photos to convert <input name="files" type="number" min="1" max="200" value="40" required></label>
      <label><input name="fails" type="checkbox"> Let it fail halfway</label>
      <div id="error" role="alert"></div>
      <button>Start</button>
    </form>
    <h2>Jobs of the last hour</h2>
    <section hx-ext="sse" sse-connect="/events" sse-swap="jobs"></section>`,
  );

// Each event of the job's channel is a fragment, and goes where `sse-swap` names it. After `done` the extension has to
// be told to stop: a plain EventSource does when it is answered 204, this one would begin again.
export const jobPage = ({ id, name }: Job) =>
  layout(
    escapeHtml(name),
    `<nav><a href="/">← All jobs</a></nav>
    <article hx-ext="sse" sse-connect="/jobs/${id}/events" sse-close="done">
      <h2>${escapeHtml(name)}</h2>
      <p sse-swap="begin,done" role="status">Waiting for the server</p>
      <div sse-swap="progress"><progress></progress></div>
      <div class="log"><ol id="log" sse-swap="log" hx-swap="beforeend"></ol></div>
      <div hx-get="/jobs/${id}" hx-trigger="sse:reset" hx-target="body"></div>
    </article>`,
  );

export const goneMessage =
  'This job is gone: an hour has passed since its end, or the server has been restarted. <a href="/">Start another</a>';

export const gonePage = () => layout('Gone', `<article><p role="status">${goneMessage}</p></article>`);

export const errorMessage = (text: string) => `<p>${escapeHtml(text)}</p>`;

export const jobList = (jobs: Job[]) =>
  jobs.length === 0
    ? '<p>None</p>'
    : `<ul>${jobs
        .map(
          job =>
            `<li><a href="/jobs/${job.id}">${escapeHtml(job.name)}</a> <small>${describe(job)}</small></li>`,
        )
        .reverse()
        .join('')}</ul>`;

/** Whoever is sent a job from its beginning may show some of it already: the log starts empty. */
export const beginning = (job: Job) => `${describe(job)}<ol id="log" hx-swap-oob="innerHTML"></ol>`;

export const progressBar = ({ done, files }: Job) =>
  `<progress max="${files}" value="${done}"></progress><small>${done} of ${files}</small>`;

export const logLine = (text: string) => `<li>${escapeHtml(text)}</li>`;

export const describe = ({ state, done, files }: Job) =>
  ({
    running: `Running: ${files} photos`,
    done: `Done: ${files} photos`,
    failed: `Failed after ${done} of ${files} photos`,
  })[state];

const layout = (title: string, main: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="htmx-config" content='{"responseHandling":[{"code":"[2345]..","swap":true}]}'>
    <title>${title}</title>
    <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%230172ad'/%3E%3Cpath d='M7 12h18M7 20h11' fill='none' stroke='white' stroke-width='4' stroke-linecap='round'/%3E%3C/svg%3E">
    <link rel="stylesheet" href="/pico/pico.classless.min.css">
    <link rel="stylesheet" href="/style.css">
    <script src="/htmx/htmx.min.js"></script>
    <script src="/htmx-sse/sse.min.js"></script>
    <script src="/state.js" defer></script>
  </head>
  <body>
    <header>
      <div>
        <h1>Jobs</h1>
        <p>The work is simulated: it takes its time, and no photo is converted.</p>
      </div>
      <p id="state" data-state="waiting">Connecting</p>
    </header>
    <main>
    ${main}
    </main>
  </body>
</html>
`;
