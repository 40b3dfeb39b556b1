// The list of pilots: only the rows in sight are in the document, and the one
// that has the focus. The focus moves by keys; one row can be tabbed to.

import { draw, words } from './bar.js';
import { pathOf } from './ask.js';
import { duration, h, icon, plain, setIcon } from './text.js';

const spare = 4; // rows beyond each edge

export class List {
  #body; #tall; #table; #store; #items = []; #rows = new Map(); #free = []; #at = ''; #height = 42; #index = new Map();

  /** on.open(key), on.move(part of the time), on.seen(items) */
  constructor(table, body, store, on) {
    this.#table = table;
    this.#body = body;
    this.#store = store;
    this.on = on;
    this.#tall = body.appendChild(h('div', { class: 'tall', role: 'presentation' }));
    body.addEventListener('scroll', () => this.on.scroll(), { passive: true });
    body.addEventListener('keydown', (e) => this.#key(e));
    body.addEventListener('focusin', (e) => {
      const row = e.target.closest('.row');
      if (row) this.#focus(row.item.key);
    });
    new ResizeObserver(() => this.measure()).observe(body);
    this.measure();
  }

  measure() {
    this.#height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue('--row-height')) || 42;
    this.on.scroll?.();
  }

  /** set replaces what is listed; whoever has scrolled keeps sight of the same. */
  set(items) {
    const top = this.#body.scrollTop;
    const first = Math.floor(top / this.#height);
    const anchor = top > 0 ? this.#items[first]?.key : undefined;
    this.#items = items;
    this.#index.clear();
    for (let i = 0; i < items.length; i++) this.#index.set(items[i].key, i);
    this.#tall.style.height = `${items.length * this.#height}px`;
    this.#table.setAttribute('aria-rowcount', items.length + 1);
    const now = anchor === undefined ? -1 : (this.#index.get(anchor) ?? -1);
    if (now >= 0 && now !== first) this.#body.scrollTop = top + (now - first) * this.#height;
  }

  /** render brings the document up to date; it is called once a frame. */
  render(span, now) {
    const top = this.#body.scrollTop;
    const height = this.#body.clientHeight;
    const from = Math.max(0, Math.floor(top / this.#height) - spare);
    const to = Math.min(this.#items.length, Math.ceil((top + height) / this.#height) + spare);
    const wanted = new Map();
    for (let i = from; i < to; i++) wanted.set(this.#items[i].key, i);
    const focused = this.#focused();
    if (focused && this.#index.has(focused)) wanted.set(focused, this.#index.get(focused));
    for (const [key, row] of this.#rows) {
      if (wanted.has(key)) continue;
      if (key === focused) this.#body.closest('section').querySelector('input')?.focus({ preventScroll: true }); // it left the list
      row.remove();
      this.#rows.delete(key);
      this.#free.push(row);
    }
    for (const [key, i] of wanted) this.#show(key, i, span, now);
    this.#tabStop(from, to);
    const seen = [];
    for (let i = from; i < to; i++) seen.push(this.#items[i]);
    this.on.seen(seen);
  }

  #show(key, i, span, now) {
    const item = this.#items[i];
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#free.pop() ?? makeRow();
      this.#rows.set(key, row);
      row.shows = undefined;
    }
    if (row.place !== i) {
      row.place = i;
      row.setAttribute('aria-rowindex', i + 2);
    }
    const y = i * this.#height;
    if (row.y !== y) {
      row.y = y;
      row.style.transform = `translateY(${y}px)`;
    }
    fill(row, item, this.#store);
    time(row, item, this.#store, span, now);
    if (!row.isConnected) this.#tall.append(row);
  }

  /** #tabStop keeps exactly one row that Tab goes to. */
  #tabStop(from, to) {
    if (!this.#rows.has(this.#at)) {
      const first = Math.min(Math.ceil(this.#body.scrollTop / this.#height), to - 1);
      this.#at = this.#items[Math.max(first, from)]?.key ?? '';
    }
    for (const [key, row] of this.#rows) row.link.tabIndex = key === this.#at ? 0 : -1;
  }

  #focused() {
    const row = document.activeElement?.closest?.('.row');
    return row && this.#body.contains(row) ? row.item.key : '';
  }

  #focus(key) {
    this.#at = key;
    for (const [k, row] of this.#rows) row.link.tabIndex = k === key ? 0 : -1;
  }

  /** focus goes to a pilot, if it is listed. */
  focus(key) {
    const i = this.#index.get(key);
    if (i === undefined) return false;
    this.#to(i);
    return true;
  }

  #to(i) {
    const item = this.#items[i];
    if (!item) return;
    const y = i * this.#height;
    const height = this.#body.clientHeight;
    if (y < this.#body.scrollTop) this.#body.scrollTop = y;
    if (y + this.#height > this.#body.scrollTop + height) this.#body.scrollTop = y + this.#height - height;
    this.#at = item.key;
    this.on.now();
    this.#rows.get(item.key)?.link.focus({ preventScroll: true });
  }

  #key(e) {
    if (e.altKey || e.ctrlKey || e.metaKey) return;
    const i = this.#index.get(this.#focused());
    if (i === undefined) return;
    const page = Math.max(1, Math.floor(this.#body.clientHeight / this.#height) - 1);
    const last = this.#items.length - 1;
    const to = { ArrowDown: i + 1, ArrowUp: i - 1, PageDown: i + page, PageUp: i - page, Home: 0, End: last }[e.key];
    const by = { ArrowLeft: -0.25, ArrowRight: 0.25 }[e.key];
    if (to === undefined && by === undefined) return;
    e.preventDefault();
    if (by !== undefined) this.on.move(by);
    else this.#to(Math.min(last, Math.max(0, to)));
  }
}

function makeRow() {
  const start = h('span', { class: 'start' });
  const end = h('span', { class: 'end' });
  const link = h('a', { class: 'uid', 'data-route': '' }, start, end);
  const what = h('div', { class: 'what' });
  const sign = icon('DONE', 5);
  const name = h('span');
  const how = h('div', { role: 'cell', class: 'c-for' });
  const track = h('div', { class: 'track', 'aria-hidden': 'true' });
  const said = h('span', { class: 'unseen' });
  const row = h('div', { role: 'row', class: 'row' },
    h('div', { role: 'cell', class: 'c-pilot' }, link, what),
    h('div', { role: 'cell', class: 'c-state' }, h('span', { class: 'state' }, sign, name)), how,
    h('div', { role: 'cell', class: 'c-bar' }, track, said));
  return Object.assign(row, { link, start, end, what, sign, name, how, track, said });
}

/** fill writes what only a change changes. */
function fill(row, item, store) {
  const r = item.row;
  if (row.shows === r) return;
  row.shows = r;
  row.item = item;
  const uid = plain(r.uid);
  const cut = uid.length > 14 ? uid.length - 8 : uid.length;
  row.start.textContent = uid.slice(0, cut);
  row.end.textContent = uid.slice(cut);
  row.link.href = `/pilots/${pathOf(item.key)}`;
  row.link.title = plain(item.key);
  row.what.textContent = plain([r.resource, r.cause && r.state === 'FAILED' ? r.cause : r.health || r.what || r.size].filter(Boolean).join(' · '));
  row.what.title = plain([r.what, r.size, r.labels, r.cause, r.health].filter(Boolean).join('\n'));
  setIcon(row.sign, r.state, item.state);
  row.name.textContent = r.state;
}

/** time writes what the clock changes. */
function time(row, item, store, span, now) {
  const m = item.row.marks;
  const ended = store.final[item.state];
  const how = duration(ended ? m[m.length - 1] - m[1] : now - m[m.length - 1]);
  if (row.howLong !== how) {
    row.howLong = how;
    row.how.textContent = how;
  }
  if (row.saidOf !== m) {
    row.saidOf = m;
    row.said.textContent = words(m, store.final, store.states);
  }
  draw(row.track, m, store.final, span, now, store.states);
}
