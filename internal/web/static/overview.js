// All pilots: counts, filters, the timeline.

import { ask } from './ask.js';
import { List } from './list.js';
import { Load } from './load.js';
import { Span } from './span.js';
import { h, icon, many, number, plain } from './text.js';

const $ = (id) => document.getElementById(id);
const quiet = 1000; // ms between two drawings while only time goes on

export class Overview {
  #store; #list; #load; #span = new Span(); #found; #frame = 0; #version = -1; #dirty = true; #drawn = 0; #asked = new Set(); #asking = 0;
  #say; #told = ''; #seen = 0; #rest = 0;

  /** say tells those who do not see the page. */
  constructor(store, say) {
    this.#store = store;
    this.#say = say;
    this.filter = { text: '', manager: '', resource: '', states: new Set(), sort: 'newest' };
    this.#load = new Load($('load'), $('axis'));
    this.#list = new List($('table'), $('body'), store, {
      scroll: () => this.changed(), move: (part) => this.#move(part), seen: (items) => this.#complete(items),
      now: () => this.#render(),
    });
    this.#controls();
    setInterval(() => {
      if (performance.now() - this.#seen >= this.#rest) this.changed();
    }, 250);
    new ResizeObserver(() => this.changed()).observe($('table'));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.changed());
  }

  get shown() { return !$('overview').hidden; }

  focus(key) { return this.#list.focus(key); }

  /** changed asks for one drawing at the next frame, however often it is called. */
  changed() {
    if (!this.#frame && this.shown) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        if (this.shown) this.#render();
      });
    }
  }

  #controls() {
    const set = (name, value) => {
      this.filter[name] = value;
      this.#refilter();
    };
    $('text').addEventListener('input', (e) => set('text', e.target.value));
    $('manager').addEventListener('change', (e) => set('manager', e.target.value));
    $('resource').addEventListener('change', (e) => set('resource', e.target.value));
    $('sort').addEventListener('change', (e) => set('sort', e.target.value));
    $('filters').addEventListener('submit', (e) => e.preventDefault());
    $('clear').addEventListener('click', () => {
      this.filter = { text: '', manager: '', resource: '', states: new Set(), sort: this.filter.sort };
      this.#refilter();
      $('text').focus();
    });
    $('span').addEventListener('change', (e) => {
      this.#span.length = Number(e.target.value);
      this.#span.follow();
      this.#moved();
    });
    $('earlier').addEventListener('click', () => this.#move(-0.5));
    $('later').addEventListener('click', () => this.#move(0.5));
    $('now').addEventListener('click', () => {
      this.#span.follow();
      this.#moved();
    });
    this.#drag($('over'));
    $('table').addEventListener('wheel', (e) => {
      const by = e.deltaX || (e.shiftKey ? e.deltaY : 0);
      if (!by || Math.abs(e.deltaY) > Math.abs(e.deltaX) && !e.shiftKey) return;
      e.preventDefault();
      this.#move(by / Math.max(this.#load.width, 1));
    }, { passive: false });
  }

  #drag(over) {
    let at;
    over.addEventListener('pointerdown', (e) => {
      at = e.clientX;
      over.setPointerCapture(e.pointerId);
    });
    over.addEventListener('pointermove', (e) => {
      if (at === undefined || e.clientX === at) return;
      this.#move((at - e.clientX) / Math.max(this.#load.width, 1));
      at = e.clientX;
    });
    const up = () => (at = undefined);
    over.addEventListener('pointerup', up);
    over.addEventListener('pointercancel', up);
  }

  #move(part) {
    this.#span.move(part, this.#store.now());
    this.#moved();
  }

  #moved() {
    const known = [...$('span').options].some((o) => o.value === String(this.#span.length));
    $('span').value = known ? String(this.#span.length) : 'own';
    $('now').setAttribute('aria-pressed', this.#span.end === null);
    this.#drawn = 0;
    this.changed();
  }

  /** read takes the filter from the page's address, write puts it there. */
  read(query) {
    const f = this.filter;
    f.text = query.get('text') ?? '';
    f.manager = query.get('manager') ?? '';
    f.resource = query.get('resource') ?? '';
    f.states = new Set(query.getAll('state'));
    f.sort = [...$('sort').options].some((o) => o.value === query.get('sort')) ? query.get('sort') : 'newest';
    this.#dirty = true;
    this.changed();
  }

  query() {
    const f = this.filter;
    const q = new URLSearchParams();
    for (const name of ['text', 'manager', 'resource']) if (f[name]) q.set(name, f[name]);
    for (const s of f.states) q.append('state', s);
    if (f.sort !== 'newest') q.set('sort', f.sort);
    return q.size ? `?${q}` : '';
  }

  #refilter() {
    this.#dirty = true;
    history.replaceState(history.state, '', `/${this.query()}`);
    this.changed();
  }

  #render() {
    const store = this.#store;
    const now = store.now();
    if (this.#dirty || store.version !== this.#version) {
      this.#version = store.version;
      this.#found = store.select(this.filter);
      this.#list.set(this.#found.items);
      this.#tiles();
      this.#resources();
      this.#choices();
      this.#count();
      this.#drawn = 0;
      this.#dirty = false;
    }
    if (!this.#found) return;
    this.#span.fit(this.#found, now);
    this.#list.render(this.#span, now);
    this.#seen = performance.now();
    // What only the clock moves is drawn again once it is a pixel further, or a second.
    this.#rest = Math.min(1000, (this.#span.to - this.#span.from) / Math.max(this.#load.width, 1));
    if (performance.now() - this.#drawn < quiet) return;
    this.#drawn = performance.now();
    const grid = this.#load.ticks(this.#span);
    const style = $('body').style;
    style.setProperty('--grid-step', `${grid.step.toFixed(2)}px`);
    style.setProperty('--grid-at', `${grid.at.toFixed(2)}px`);
    const at = this.#span.at(now);
    style.setProperty('--now-at', at <= 1 ? `${(at * 100).toFixed(3)}%` : '-9px');
    this.#load.draw(this.#found.items, store, this.#span, now);
  }

  #tiles() {
    const box = $('states');
    const { states } = this.#store;
    if (box.children.length !== states.length) {
      box.replaceChildren(...states.map((s, i) => this.#tile(s, i)));
    }
    states.forEach((s, i) => {
      const e = box.children[i];
      const n = this.#found.states[i];
      const text = number(n);
      if (e.number.textContent !== text) e.number.textContent = text;
      e.number.classList.toggle('long', text.length > 6);
      e.classList.toggle('none', n === 0);
      e.setAttribute('aria-pressed', this.filter.states.has(s));
    });
  }

  #tile(state, i) {
    const amount = h('span', { class: 'number' }, '0');
    const e = h('button', { type: 'button', class: 'tile', 'data-state': state, 'aria-pressed': 'false' },
      icon(state, i), amount, h('span', { class: 'name' }, ...state.split(/(?<=_)/).flatMap((part, i) => (i ? [h('wbr'), part] : [part]))));
    e.addEventListener('click', () => {
      if (!this.filter.states.delete(state)) this.filter.states.add(state);
      this.#refilter();
    });
    return Object.assign(e, { number: amount });
  }

  #resources() {
    const box = $('resources');
    const names = [...this.#found.labels].sort();
    const key = JSON.stringify(names);
    if (box.key !== key) {
      box.key = key;
      box.replaceChildren(...(names.length ? names.map((n) => this.#resource(n)) : [h('li', { class: 'nothing' }, 'None yet')]));
    }
    names.forEach((name, i) => this.#share(box.children[i].firstChild, name));
  }

  #resource(name) {
    const share = h('span', { class: 'share', 'aria-hidden': 'true' });
    const amount = h('span', { class: 'number' });
    const said = h('span', { class: 'words' });
    const e = h('button', { type: 'button', class: 'resource', title: plain(name) }, h('span', { class: 'name' }, plain(name)), amount, share, said);
    e.addEventListener('click', () => {
      this.filter.resource = this.filter.resource === name ? '' : name;
      this.#refilter();
    });
    share.append(...this.#store.states.map((_, i) => h('i', { class: `g${i}` })));
    return h('li', {}, Object.assign(e, { share, number: amount, words: said }));
  }

  #share(e, name) {
    const counts = this.#found.resources.get(name) ?? [];
    const all = counts.reduce((a, b) => a + b, 0);
    e.number.textContent = number(all);
    const said = this.#store.states.map((s, i) => [s, counts[i] ?? 0]).filter(([, n]) => n > 0);
    const [waiting, running, ended] = [0, 1, 2].map((g) => said.reduce((a, [s, n]) => a + (group(s) === g ? n : 0), 0));
    const failed = said.find(([s]) => s === 'FAILED')?.[1] ?? 0;
    e.words.textContent = [waiting && `${number(waiting)} waiting`, running && `${number(running)} running`,
      ended && `${number(ended)} ended${failed ? ` (${number(failed)}\u00a0failed)` : ''}`].filter(Boolean).join(' · ') || 'none of these';
    this.#store.states.forEach((_, i) => {
      e.share.children[i].hidden = !counts[i];
      e.share.children[i].style.width = `${((counts[i] ?? 0) / (all || 1)) * 100}%`;
    });
    e.setAttribute('aria-pressed', this.filter.resource === name);
  }

  #choices() {
    choose($('manager'), this.#found.managers, this.filter.manager);
    choose($('resource'), this.#found.labels, this.filter.resource);
    if ($('text').value !== this.filter.text) $('text').value = this.filter.text;
    $('sort').value = this.filter.sort;
    const f = this.filter;
    $('clear').disabled = !(f.text || f.manager || f.resource || f.states.size);
  }

  #count() {
    const { items, total, older } = this.#found;
    const narrowed = !$('clear').disabled;
    let text = narrowed ? `${many(items.length, 'pilot')} of ${number(total)}` : many(total, 'pilot');
    if (older) text += `; ${number(older)} of them ended too long ago to be listed`;
    if ($('count').textContent !== text) $('count').textContent = text;
    if (narrowed || this.#told) this.#tell(narrowed ? text : 'All pilots shown');
    this.#told = narrowed ? text : '';
    this.#empty(items.length === 0, narrowed);
  }

  #tell(text) {
    const key = JSON.stringify([...this.filter.states, this.filter.text, this.filter.manager, this.filter.resource]);
    if (key === this.toldFor) return; // that pilots come and go is not said aloud
    this.toldFor = key;
    this.#say(text);
  }

  #empty(none, narrowed) {
    const box = $('empty');
    const what = !none ? '' : !this.#store.standing ? 'wait' : narrowed ? 'narrow' : 'none';
    if (box.shows === what) return;
    box.shows = what;
    box.hidden = !none;
    $('table').hidden = $('hint').hidden = $('times').hidden = none;
    box.replaceChildren(...{
      '': () => [],
      wait: () => [h('p', { class: 'muted' }, 'Reading the log…')],
      narrow: () => [h('p', {}, 'No pilot matches these filters.')],
      none: () => [h('h3', {}, 'No pilots yet'), h('p', { class: 'muted' }, 'They appear here as soon as somebody submits some:'),
        h('pre', {}, 'export FLIGHTLOG_MANAGER=$(flightlog manager create)\nflightlog submit -r local.localhost -c 1 -t 10m hostname')],
    }[what]());
  }

  /** #complete asks for the past of pilots in sight of which only the present is known. */
  #complete(items) {
    const lacking = items.filter((i) => i.row.partial && !this.#asked.has(`${i.key} ${i.row.seq}`));
    if (!lacking.length || this.#asking) return;
    this.#asking = setTimeout(async () => {
      const some = lacking.slice(0, 100);
      for (const i of some) this.#asked.add(`${i.key} ${i.row.seq}`);
      try {
        this.#store.learn(await ask('/api/marks?' + some.map((i) => `pilot=${encodeURIComponent(i.key)}`).join('&')));
      } catch {
        // what is known is shown
      }
      this.#asking = 0;
      this.changed();
    }, 120);
  }
}

const group = (state) => (['DONE', 'CANCELED', 'FAILED'].includes(state) ? 2 : ['ACTIVE', 'CANCELING'].includes(state) ? 1 : 0);

function choose(select, values, chosen) {
  const all = [...values];
  if (chosen && !values.has(chosen)) all.push(chosen);
  all.sort();
  const key = JSON.stringify(all);
  if (select.key !== key) {
    select.key = key;
    select.replaceChildren(h('option', { value: '' }, 'All'), ...all.map((v) => h('option', { value: v }, plain(v))));
  }
  if (select.value !== chosen) select.value = chosen;
}
