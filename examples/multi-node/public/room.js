import { connect } from '/tidings/client.js';

/** How many messages the page shows. */
const SHOWN = 200;
/** Ms after which a node without a status counts as stopped: each publishes one a second. */
const SILENCE = 3_500;
/** How often a request is sent while no node responds, and the ms between. */
const ATTEMPTS = 30;
const PAUSE = 500;
const LOST = 'The page missed events that are no longer retained. It has reloaded the rest.';

const element = id => document.getElementById(id);
const { from, text } = element('form').elements;

/** The node that serves this page, and the one that did before. */
let served;
let before;
/** While the page catches up: the node whose next status follows everything that the page has missed. */
let catchingUp;
/** Messages since the page has connected, and whether they are all that it had missed. */
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
    // The event `served` has the node. A status of the previous one may be among the missed events.
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
  // Channels have one order: everything that the page had missed precedes this.
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
// The page has missed events of these channels. What they retain follows.
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
  if (before === undefined) return `This page connected to ${served.name}.`;
  const isBack = before.name === served.name;
  const what = isBack ? `Back on ${served.name}` : `${served.name} took over from ${before.name}`;
  if (!isWhole) return `${what}. ${LOST}`;
  return `${what}. The page received ${count(missed, 'message')} from the meantime. None is missing.`;
}

function showState(state, words) {
  document.body.dataset.state = state;
  if (element('state').textContent !== words) element('state').textContent = words;
}

function showNodes() {
  const all = [...nodes.values()].sort((a, b) => a.name.localeCompare(b.name));
  // By the clocks of the nodes: this machine's clock may differ.
  const now = Math.max(...all.map(({ at }) => at));
  const items = all.map(({ name, pages, at }) => {
    const isGone = now - at > SILENCE;
    const item = create('li', isGone ? 'stopped' : count(pages, 'page'));
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
  // The page that posted it sent it twice, because no node had confirmed the first.
  if (element(id) !== null) return;
  const list = element('messages');
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const time = new Date(at).toLocaleTimeString('en-GB', { timeStyle: 'short' });
  const details = create('small', `${time} by `);
  details.append(create('i', node));
  const item = create('li', '');
  item.id = id;
  item.style.setProperty('--color', colorOf(node));
  item.append(create('b', from), details, create('p', text));
  list.append(item);
  while (list.children.length > SHOWN) list.firstElementChild.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

/** Sends the request again if the node dies or there is none. The id of a message shows that it was sent twice. */
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
  element('notice').textContent = 'The server could not store that. Try again.';
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

/** By the number of the node: the same in every page. */
function colorOf(node) {
  return `var(--series-${Number(/\d+$/.exec(node)) % 8 || 8})`;
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
