import { connect } from '/tidings/client.js';

const STOPPED = 'The answer was stopped before its end.';
const CANNED = 'Canned text, no model: the server has no OPENAI_API_KEY.';

const element = id => document.getElementById(id);
const form = element('form');
const { prompt, policy } = form.elements;

let events;
/** The id of the answer, if the server keeps it. */
let id;
/** Nothing more arrives, and the page has said why. */
let isOver = true;

function show(question, keptAs) {
  id = keptAs;
  element('answer').hidden = false;
  element('question').textContent = question;
  element('text').textContent = '';
  element('link').hidden = id === undefined;
  element('disconnect').hidden = id === undefined;
  element('link').href = `/?answer=${id}`;
  history.replaceState(null, '', id === undefined ? '/' : `/?answer=${id}`);
}

/** Connects, and appends what the server sends after the last event. */
function read(url, lastEventId) {
  events?.close();
  isOver = false;
  showState('waiting', 'Connecting');
  events = connect(url, {
    lastEventId,
    text: ['question', 'text', 'done', 'stopped', 'failed'],
    retry: { max: 2_000 },
  });
  events.on('state', showConnection);
  on('question', data => {
    element('question').textContent = data;
  });
  on('text', data => element('text').append(data));
  on('done', data => {
    if (data === 'stop') finish('done', 'Finished');
    else finish('failed', 'Incomplete', `The model has stopped before the end: ${data}.`);
  });
  on('stopped', () => finish('stopped', 'Stopped', STOPPED));
  on('failed', data => finish('failed', 'Failed', data));
  on('reset', () => {
    element('text').textContent = '';
    element('notice').textContent = 'The server no longer has the beginning of this answer.';
  });
}

function on(event, handle) {
  events.on(event, ({ data }) => handle(data));
}

/** The client resumes an answer that the server keeps. Any other answer would begin again. */
function showConnection(state) {
  if (isOver) return;
  if (state === 'open') showState('live', 'Writing');
  else if (id === undefined) {
    finish('failed', 'Offline', 'The connection was lost, and the model has been stopped. Ask again.');
    events.close();
  } else if (state === 'ended') {
    finish('failed', 'Incomplete', 'The server was stopped, and the model with it. Ask again.');
  } else if (state === 'failed') {
    finish(
      'failed',
      'Not found',
      'The server does not have this answer: it has expired, or the server was restarted.',
    );
  } else showState('waiting', 'Reconnecting');
}

function finish(state, words, notice = '') {
  isOver = true;
  showState(state, words, notice);
}

function showState(state, words, notice = '') {
  document.body.dataset.state = state;
  element('state').textContent = words;
  element('notice').textContent = notice;
}

form.addEventListener('submit', async event => {
  event.preventDefault();
  events?.close();
  if (policy.value === 'stop') {
    show(prompt.value);
    read(`/answers?${new URLSearchParams({ prompt: prompt.value })}`);
    return;
  }
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ prompt: prompt.value }),
  };
  const answer = await fetch('/answers', request).catch(() => undefined);
  if (answer?.ok) {
    show(prompt.value, (await answer.json()).id);
    read(`/answers/${id}`);
  } else {
    show(prompt.value);
    if (answer) finish('failed', 'Failed', await answer.text());
    else finish('failed', 'Offline', 'The server cannot be reached.');
  }
});
prompt.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
element('stop').addEventListener('click', () => {
  // The event `stopped` follows.
  if (id !== undefined) return fetch(`/answers/${id}/stop`, { method: 'POST' });
  finish('stopped', 'Stopped', STOPPED);
  events.close();
});
element('disconnect').addEventListener('click', () => {
  finish('disconnected', 'Disconnected', 'Disconnected. The model continues.');
  events.close();
});
element('resume').addEventListener('click', () => {
  read(`/answers/${id}`, events.lastEventId);
});

const { model, longest } = await (await fetch('/model')).json();
prompt.maxLength = longest;
element('model').textContent = model ?? 'none';
element('label').textContent = model ?? CANNED;
prompt.value ||= model ? '' : 'What can I do here?';

const linked = new URLSearchParams(location.search).get('answer');
if (linked !== null) {
  show('', linked);
  policy.value = 'keep';
  read(`/answers/${encodeURIComponent(linked)}`);
}
