// Which page is shown, and who tells whom.

import { ask } from './ask.js';
import { Cancel } from './cancel.js';
import { Overview } from './overview.js';
import { PilotPage } from './pilot.js';
import { Store } from './store.js';
import { Stream } from './stream.js';

const $ = (id) => document.getElementById(id);
const links = { live: 'Live', again: 'Connecting again…', off: 'Connecting…', denied: 'Signed out' };

const store = new Store();
const overview = new Overview(store, say);
const cancel = new Cancel(say);
const page = new PilotPage($('pilot'), store, { cancel: (key, name) => cancel.open(key, name), denied });
const stream = new Stream({
  hello(m) {
    store.hello(m);
    $('logout').hidden = !m.login;
    if (!$('login').hidden || $('overview').hidden && !page.shown) route();
  },
  rows: (rows) => told(() => store.put(rows)),
  gone: (m) => told(() => store.gone(m)),
  standing: () => told(() => {
    if (!store.standing) store.version++;
    store.standing = true;
  }),
  link,
  denied,
});

function told(change) {
  change();
  overview.changed();
  page.changed();
}

function link(how) {
  if ($('link').dataset.link === how) return;
  const was = $('link').dataset.link;
  $('link').dataset.link = how;
  $('link-text').textContent = links[how];
  if (was !== 'off' || how !== 'live') say(links[how]);
}

/** say tells those who do not see the page, politely. */
function say(text) { $('news').textContent = text; }

/** denied shows the login. */
function denied() {
  stream.close();
  link('denied');
  page.close();
  $('overview').hidden = true;
  $('logout').hidden = true;
  $('login').hidden = false;
  document.title = 'Sign in · Flightlog';
  $('token').focus();
}

$('login-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  $('login-error').textContent = '';
  try {
    await ask('/api/login', { body: { token: $('token').value } });
    $('token').value = '';
    stream.open();
  } catch (e) {
    $('login-error').textContent = e.status === 401 ? 'This is not the token.' : e.message;
    $('token').select();
  }
});

$('logout').addEventListener('click', async () => {
  await ask('/api/logout', { body: {} }).catch(() => {});
  denied();
});

/** route shows what the address says. from is the pilot that was left. */
function route(from = '') {
  const path = location.pathname.match(/^\/pilots\/([^/]+)\/([^/]+)$/);
  $('login').hidden = true;
  if (path) {
    $('overview').hidden = true;
    page.open(path.slice(1).map(decodeURIComponent).join('/'));
    return;
  }
  page.close();
  $('overview').hidden = false;
  document.title = 'Pilots · Flightlog';
  overview.read(new URLSearchParams(location.search));
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (from && !overview.focus(from)) $('main').focus({ preventScroll: true });
  }));
}

/** shown is the pilot whose page is open. */
function shown() {
  const path = location.pathname.match(/^\/pilots\/([^/]+)\/([^/]+)$/);
  return path ? path.slice(1).map(decodeURIComponent).join('/') : '';
}

/** A link that signs nobody in stays in the address until it is taken out here. */
const asked = new URLSearchParams(location.search);
if (asked.has('token')) {
  asked.delete('token');
  history.replaceState(history.state, '', location.pathname + (asked.size ? `?${asked}` : ''));
}

let last = shown();
document.addEventListener('click', (e) => {
  const a = e.target.closest?.('a[data-route]');
  if (!a || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || !$('login').hidden) return;
  e.preventDefault();
  if (a.dataset.route === 'back' && history.state?.inside) {
    history.back();
    return;
  }
  const from = shown();
  history.pushState({ inside: true }, '', a.href);
  last = shown();
  route(from);
});
addEventListener('popstate', () => {
  const from = last;
  last = shown();
  route(from);
});

stream.open();
