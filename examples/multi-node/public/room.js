import { connect } from '/tidings/client.js';

/** How many messages the page shows. */
const SHOWN = 200;
/** Ms without a sign of life after which a node is taken for gone: each gives one a second. */
const SILENCE = 3_500;
/** How often a request is made that no node has answered, and the ms in between. */
const ATTEMPTS = 30;
const PAUSE = 500;
const LOST = 'Some messages were missed and are no longer retained. These are the retained ones.';

const element = id => document.getElementById(id);
const { from, text } = element('form').elements;

/** The node that serves this page, and the one that did before. */
let served;
let before;
/** While the page is being given what it has missed: the node whose next sign of life comes after all of that. */
let catchingUp;
/** Messages that came since the page has connected, and whether they are all that it had missed. */
let missed = 0;
let isWhole = true;
const nodes = new Map();
const votes = new Map();

// It resumes by itself, on any node.
const events = connect('/events', { retry: { max: 2_000 } });
events.on('state', state => {
  if (state === 'failed') showState('offline', 'Offline: reload this page');
  else if (state !== 'open') showState('waiting', 'Reconnecting');
  else {
    // Which node it is shows later: of the one before, signs of life may be among what was missed.
    catchingUp = undefined;
    missed = 0;
    isWhole = true;
  }
});
on('served', node => {
  before = served;
  served = node;
  catchingUp = node;
  element('kill').textContent = node.kill;
  showState('live', `Live on ${node.name}`);
  showNodes();
});
on('node', node => {
  nodes.set(node.name, node);
  showNodes();
  // Channels have one order: what the page had missed has come before this.
  if (node.name === catchingUp?.name && node.at >= catchingUp.at) {
    catchingUp = undefined;
    element('notice').textContent = whatHappened();
  }
});
on('vote', ({ from, choice }) => {
  votes.set(from, choice);
  showVotes();
});
on('message', message => {
  missed += 1;
  addMessage(message);
});
// What the page shows of these is not all that there was; what there still is comes next.
on('reset', ({ channels }) => {
  isWhole = false;
  element('notice').textContent = LOST;
  if (channels.includes('messages')) element('messages').replaceChildren();
  if (channels.includes('votes')) votes.clear();
  if (channels.includes('nodes')) nodes.clear();
  showVotes();
});

function on(event, handle) {
  events.on(event, ({ data }) => handle(data));
}

function whatHappened() {
  if (before === undefined) return `This page began on ${served.name}.`;
  const isBack = before.name === served.name;
  const what = isBack ? `Back on ${served.name}` : `${served.name} took over from ${before.name}`;
  if (!isWhole) return `${what}. ${LOST}`;
  return `${what}. ${count(missed, 'message')} came meanwhile, and nothing is missing.`;
}

function showState(state, words) {
  document.body.dataset.state = state;
  if (element('state').textContent !== words) element('state').textContent = words;
}

function showNodes() {
  const all = [...nodes.values()].sort((a, b) => a.name.localeCompare(b.name));
  // By the clocks of the nodes: this machine's may be another time.
  const now = Math.max(...all.map(({ at }) => at));
  const items = all.map(({ name, pages, at }) => {
    const isGone = now - at > SILENCE;
    const item = create('li', isGone ? 'gone' : count(pages, 'page'));
    item.prepend(create('b', name));
    item.style.setProperty('--color', colorOf(name));
    item.classList.toggle('gone', isGone);
    if (name === served?.name) item.append(create('mark', 'this page'));
    return item;
  });
  element('nodes').replaceChildren(...items);
}

function showVotes() {
  const chosen = [...votes.values()];
  for (const button of element('votes').children) {
    const number = chosen.filter(choice => choice === button.value).length;
    button.dataset.count = number;
    button.style.setProperty('--share', number / Math.max(1, chosen.length));
    button.setAttribute('aria-pressed', votes.get(from.value) === button.value);
  }
}

function addMessage({ id, from, text, at, node }) {
  // It was sent twice, because nobody could say whether the first had arrived.
  if (element(id) !== null) return;
  const list = element('messages');
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const item = create('li', text);
  item.id = id;
  const time = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  const by = create('small', `${time} · by ${node}`);
  by.style.setProperty('--color', colorOf(node));
  item.prepend(create('b', from), by);
  list.append(item);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

/** Where a node dies with a request, or there is none, it is made again; what was done twice is told by its id. */
async function post(path, body) {
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const { ok, status } = await fetch(path, request).catch(() => ({ ok: false, status: 503 }));
    if (ok) return true;
    if (status < 500) break;
    await new Promise(resolve => setTimeout(resolve, PAUSE));
  }
  element('notice').textContent = 'That could not be stored: try it again.';
  return false;
}

element('form').addEventListener('submit', async event => {
  event.preventDefault();
  const id = `m${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const message = { id, from: from.value, text: text.value };
  text.value = '';
  if (!(await post('/messages', message))) text.value ||= message.text;
});
element('votes').addEventListener('click', ({ target: { value } }) => {
  if (value && from.reportValidity()) post('/votes', { from: from.value, choice: value });
});
from.addEventListener('input', () => {
  localStorage.setItem('name', from.value);
  showVotes();
});
from.value = localStorage.getItem('name') ?? `Guest ${Math.floor(1_000 + Math.random() * 9_000)}`;
showVotes();

function create(tag, text) {
  const made = document.createElement(tag);
  made.append(text);
  return made;
}

function colorOf(node) {
  const names = [...nodes.keys()].sort();
  return `var(--node-${(names.indexOf(node) % 4) + 1}, var(--muted))`;
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
