import { connect } from '/tidings/client.js';

const CANNED = 'Canned text, no model: this server has no OPENAI_API_KEY';

const element = id => document.getElementById(id);
const form = element('form');
const { prompt, policy } = form.elements;

let events;
/** Of the answer that is shown, if it is kept. */
let id;
/** There is no more to come, and the page says why. */
let isOver = true;

function show(question, keptAs) {
  id = keptAs;
  element('answer').hidden = false;
  element('question').textContent = question;
  element('text').textContent = '';
  element('link').hidden = id === undefined;
  element('stop').hidden = id === undefined;
  element('link').href = `/?answer=${id}`;
  history.replaceState(null, '', id === undefined ? '/' : `/?answer=${id}`);
}

/** Connects, and shows what comes after what is shown already. */
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
    else finish('failed', 'Cut short', `The model has stopped before the end: ${data}.`);
  });
  on('stopped', () => finish('stopped', 'Stopped', 'The answer was stopped: this is not the whole of it.'));
  on('failed', data => finish('failed', 'Failed', data));
  on('reset', () => {
    element('text').textContent = '';
    element('notice').textContent = 'The beginning is not kept any more: this is the rest of it.';
  });
}

function on(event, handle) {
  events.on(event, ({ data }) => handle(data));
}

/** An answer that is kept is continued by the client. Any other one would be asked for again. */
function showConnection(state) {
  if (isOver) return;
  if (state === 'open') showState('live', 'Writing');
  else if (id === undefined) {
    finish('failed', 'Cut off', 'The connection was lost, and the model has been stopped. Ask it again.');
    events.close();
  } else if (state === 'ended') {
    finish('failed', 'Cut short', 'The server was stopped, and the model with it. Ask it again.');
  } else if (state === 'failed') {
    finish(
      'failed',
      'Gone',
      'The server does not have this answer: it is too old, or the server was restarted.',
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
    finish('failed', 'Failed', (await answer?.text()) ?? 'The server cannot be reached.');
  }
});
prompt.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
element('leave').addEventListener('click', () => {
  if (id === undefined) finish('left', 'Left', 'You have left, and the model has been stopped.');
  else finish('away', 'Left', 'You have left. The answer goes on without you.');
  events.close();
});
element('stop').addEventListener('click', () => {
  fetch(`/answers/${id}/stop`, { method: 'POST' });
});
element('back').addEventListener('click', () => {
  read(`/answers/${id}`, events.lastEventId);
});

const { model, longest } = await (await fetch('/model')).json();
prompt.maxLength = longest;
element('model').textContent = model ?? 'No model';
element('label').textContent = model ?? CANNED;
element('label').classList.toggle('canned', model === undefined);
prompt.value ||= model ? '' : 'What can I do here?';

const linked = new URLSearchParams(location.search).get('answer');
if (linked !== null) {
  show('', linked);
  policy.value = 'keep';
  read(`/answers/${encodeURIComponent(linked)}`);
}
