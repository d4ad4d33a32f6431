import { connect } from '/tidings/client.js';

/** Posts that each list shows. */
const SHOWN = 100;
const STATES = { failed: 'Offline: reload this page', unauthorized: 'Not logged in' };

const element = id => document.getElementById(id);
const room = new URLSearchParams(location.search).get('room') ?? 'lobby';
const path = `/rooms/${encodeURIComponent(room)}`;
const { text } = element('compose').elements;

let events;
/** The id of this tab's stream. The server does not send it the posts of this tab. */
let stream;
let me;
let longest;

async function enter() {
  const answer = await fetch(path);
  element('login').hidden = answer.status !== 401;
  if (answer.status === 401) return showState('out', 'Not logged in');
  if (!answer.ok) {
    showState('offline', 'Offline');
    return say(await answer.text());
  }
  const page = await answer.json();
  me = page.name;
  longest = page.longest;
  document.title = `${page.room} · Timeline · Tidings`;
  element('rooms').replaceChildren(...page.rooms.map(linkTo));
  element('timeline').hidden = false;
  text.placeholder = `Write to the ${page.room}. Mention a user as @name.`;
  showLeft();
  follow();
}

/** It resumes by itself, also after sleep. */
function follow() {
  events = connect(`${path}/events`, { retry: { max: 5_000 } });
  events.on('state', state => {
    if (state === 'open') showState('live', `Live as ${me}`);
    else showState(STATES[state] ? 'offline' : 'waiting', STATES[state] ?? 'Reconnecting');
  });
  on('stream', id => {
    stream = id;
  });
  on('snapshot', ({ posts, mentions }) => {
    if (posts) replace('posts', posts);
    if (mentions) replace('mentions', mentions);
  });
  on('post', post => add('posts', post));
  on('mention', post => add('mentions', post));
  on('came', ({ client }) => showCame(client));
  on('left', ({ client }) => element(`here-${client}`)?.remove());
  // The page has missed events. The state follows, and replaces what the page shows.
  on('reset', ({ channels }) => {
    if (channels.includes('here')) element('here').replaceChildren();
    say('The page was offline for too long to receive each event. It has reloaded the lists.');
  });
}

function on(event, handle) {
  events.on(event, ({ data }) => handle(data));
}

function showState(state, words) {
  document.body.dataset.state = state;
  // Only a change is written: a screen reader reads each one.
  if (element('state').textContent !== words) element('state').textContent = words;
}

/** Without words, it hides the notice. */
function say(words = '') {
  element('notice').textContent = words;
  element('notice').hidden = words === '';
}

function replace(list, posts) {
  element(list).replaceChildren();
  for (const post of posts) add(list, post);
}

/** The newest first. A post may arrive twice: as the response to its author, and as an event. */
function add(list, post) {
  const id = `${list}-${post.id}`;
  if (element(id) !== null) return;
  const item = create('li');
  item.id = id;
  item.dataset.id = post.id;
  item.append(create('b', post.author), showTime(post), showText(post.text));
  const newer = [...element(list).children].filter(({ dataset }) => Number(dataset.id) > post.id);
  if (newer.length > 0) newer.at(-1).after(item);
  else element(list).prepend(item);
  while (element(list).children.length > SHOWN) element(list).lastElementChild.remove();
}

function showTime({ at, room: where }) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const format = { ...(!isToday && { dateStyle: 'medium' }), timeStyle: 'short' };
  const text = date.toLocaleString('en-GB', format);
  const time = create('time', where === room ? text : `${text} in the ${where}`);
  time.dateTime = date.toISOString();
  return time;
}

/** As text, never as markup. Each post has its own text direction. */
function showText(words) {
  const shown = create('p');
  shown.dir = 'auto';
  for (const part of words.split(/(?<!\w)(@\w+)/)) {
    shown.append(part.startsWith('@') ? create(part.toLowerCase() === `@${me}` ? 'mark' : 'em', part) : part);
  }
  return shown;
}

function showCame(name) {
  if (element(`here-${name}`) !== null) return;
  const item = create('li', name === me ? `${name} (you)` : name);
  item.id = `here-${name}`;
  element('here').append(item);
}

function linkTo(name) {
  const link = create('a', name);
  link.href = `/?room=${name}`;
  if (name === room) link.setAttribute('aria-current', 'page');
  return link;
}

function showLeft() {
  const left = longest - text.value.trim().length;
  element('left').textContent = left < 0 ? `${-left} characters too many` : `${left} characters left`;
}

/** Posts JSON. Returns undefined after an error, which the page shows. */
async function post(to, body) {
  const request = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(to, request).catch(() => undefined);
  say(answer?.ok ? '' : ((await answer?.text()) ?? 'The server cannot be reached. Try again.'));
  return answer?.ok ? answer : undefined;
}

function create(tag, content = '') {
  const made = document.createElement(tag);
  made.append(content);
  return made;
}

element('login').addEventListener('submit', async event => {
  event.preventDefault();
  if (await post('/login', { name: element('login').elements.name.value })) enter();
});
element('compose').addEventListener('submit', async event => {
  event.preventDefault();
  const answer = await post(`${path}/posts`, { text: text.value, stream });
  if (answer === undefined) return;
  text.value = '';
  showLeft();
  add('posts', await answer.json());
});
text.addEventListener('input', showLeft);
text.addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element('compose').requestSubmit();
});

enter();
