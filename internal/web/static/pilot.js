// One pilot in full.

import { ask, pathOf } from './ask.js';
import { draw, steps } from './bar.js';
import { Span } from './span.js';
import { clock, duration, h, icon, output, plain, precise, setIcon, shown, when } from './text.js';

export class PilotPage {
  #box; #store; #parts; #data; #key = ''; #stale = false; #loading; #timer = 0; #on; #listening; #sofar;

  /** on.cancel(key, name) asks whether the pilot is to be canceled; on.denied() that a token is needed. */
  constructor(box, store, on) {
    this.#box = box;
    this.#store = store;
    this.#on = on;
    setInterval(() => this.#tick(), 500);
    document.addEventListener('visibilitychange', () => this.#listen());
  }

  get shown() { return !this.#box.hidden; }

  async open(key) {
    this.close();
    this.#key = key;
    this.#data = undefined;
    this.#box.replaceChildren(...this.#skeleton(key));
    this.#box.setAttribute('aria-labelledby', 'pilot-title');
    this.#box.hidden = false;
    document.title = `${plain(key.split('/')[1])} · Flightlog`;
    this.#parts.title.focus({ preventScroll: true });
    scrollTo(0, 0);
    await this.#read();
  }

  close() {
    this.#loading?.abort();
    clearTimeout(this.#timer);
    this.#listening?.abort();
    this.#timer = 0;
    this.#listening = this.#sofar = undefined;
    this.#key = '';
    this.#box.hidden = true;
    this.#box.removeAttribute('aria-labelledby');
    this.#box.replaceChildren();
  }

  /** changed looks whether the pilot did, and reads it again, not too often. */
  changed() {
    const item = this.#store.items.get(this.#key);
    if (!this.#key || !item || !this.#data || item.row.seq <= this.#data.pilot.seq || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#read();
    }, 150);
  }

  async #read() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    try {
      const data = await ask(`/api/pilots/${pathOf(this.#key)}`, { signal: loading.signal });
      if (loading.signal.aborted) return;
      this.#data = data;
      this.#parts.error.textContent = '';
      this.#fill();
      this.changed();
    } catch (e) {
      if (loading.signal.aborted) return;
      if (e.status === 401) this.#on.denied();
      this.#parts.error.textContent = e.status === 404 ? 'There is no such pilot.' : e.message;
      this.#parts.error.hidden = false;
    }
  }

  #skeleton(key) {
    const [manager, uid] = key.split('/');
    const p = (this.#parts = {});
    p.title = h('h1', { id: 'pilot-title', tabindex: '-1' }, plain(uid));
    p.sign = icon('PENDING_LAUNCH', 0);
    p.state = h('span');
    p.status = h('span', { class: 'state', hidden: true }, p.sign, p.state);
    p.cancel = h('button', { type: 'button', hidden: true }, 'Cancel…');
    p.cancel.addEventListener('click', () => this.#on.cancel(key, uid));
    p.error = h('p', { class: 'card error', role: 'alert', hidden: true });
    const section = (name, title, body, attributes = {}) => {
      p[name] = h('section', { class: 'card', hidden: true, 'aria-labelledby': `p-${name}`, ...attributes }, h('h2', { id: `p-${name}` }, title), body);
      return p[name];
    };
    p.track = h('div', { class: 'way', 'aria-hidden': 'true' });
    p.legend = h('ul', { class: 'steps' });
    p.whyBody = h('div');
    p.facts = h('dl', { class: 'facts' });
    p.wanted = h('dl', { class: 'facts' });
    p.events = h('tbody');
    p.logBody = h('div');
    p.scriptBody = h('div');
    const table = h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'History' }, h('table', { class: 'history', 'aria-labelledby': 'p-past' },
      h('thead', {}, h('tr', {}, ...['Time', 'After', 'State', 'What', 'Event', 'By', 'Seq'].map((t) => h('th', { scope: 'col' }, t)))), p.events));
    const details = h('details', {}, h('summary', {}, 'Job script'), p.scriptBody);
    details.addEventListener('toggle', () => details.open && this.#script(key));
    p.script = h('section', { class: 'card', 'aria-label': 'Job script', hidden: true }, details);
    return [
      h('div', { class: 'top' }, h('a', { class: 'back', href: '/', 'data-route': 'back' }, '← All pilots'), p.title, p.status, p.cancel),
      p.error, section('why', 'Why it ended', p.whyBody), section('time', 'Timeline', h('div', {}, p.track, p.legend)),
      h('div', { class: 'pair' }, section('now', 'Pilot', p.facts), section('want', 'Description', p.wanted)),
      section('past', 'History', table), section('log', 'Log', p.logBody), p.script,
    ];
  }

  #fill() {
    const p = this.#parts;
    const { pilot, events, logs } = this.#data;
    for (const name of ['status', 'time', 'now', 'want', 'past', 'log', 'script']) p[name].hidden = false;
    setIcon(p.sign, pilot.state, this.#store.states.indexOf(pilot.state));
    p.state.textContent = pilot.state;
    const gone = this.#store.final[this.#store.states.indexOf(pilot.state)];
    const had = document.activeElement === p.cancel;
    p.cancel.hidden = gone || !this.#store.mayCancel;
    p.cancel.disabled = pilot.state === 'CANCELING';
    if (had && (p.cancel.hidden || p.cancel.disabled)) p.title.focus();
    this.#why(pilot);
    facts(p.facts, present(pilot));
    facts(p.wanted, description(pilot.description));
    if (p.events.count !== events.length) {
      p.events.count = events.length;
      p.events.replaceChildren(...events.map((e, i) => line(e, events[i - 1], this.#store)));
    }
    this.#log(logs);
    this.#tick(true);
    this.#listen();
  }

  /** #listen reads what the payload prints while it runs, again and again as long as somebody looks. */
  async #listen() {
    if (this.#listening || document.hidden || !this.#data?.pilot.launcher || this.#data.pilot.ended_at) return;
    const listening = (this.#listening = new AbortController());
    while (!listening.signal.aborted && !document.hidden && !this.#data.pilot.ended_at) {
      let said;
      try {
        said = await ask(`/api/pilots/${pathOf(this.#key)}/output`, { signal: listening.signal });
      } catch (e) {
        said = { why: e.message };
        if (!listening.signal.aborted && e.status === 401) return this.#on.denied();
      }
      if (listening.signal.aborted) return;
      this.#sofar = said;
      this.#log(this.#data.logs);
      await new Promise((done) => setTimeout(done, 2000));
    }
    if (this.#listening === listening) this.#listening = undefined;
  }

  #why(pilot) {
    const { why, whyBody } = this.#parts;
    why.hidden = !pilot.cause;
    if (!pilot.cause) return;
    const ended = !!pilot.ended_at;
    why.firstChild.textContent = ended ? 'Why it ended' : 'Why the last attempt ended';
    why.className = `card why ${pilot.state === 'FAILED' ? 'failed' : pilot.state === 'DONE' ? 'done' : ''}`;
    const c = pilot.cause;
    const also = [c.exit_code !== undefined && `exit code ${c.exit_code}`, c.signal && `signal ${c.signal}`].filter(Boolean).join(', ');
    whyBody.replaceChildren(h('p', {}, h('strong', { class: 'mono' }, plain(c.code)), also ? ` · ${also}` : ''),
      c.message ? h('p', {}, ...shown(c.message)) : '', c.underlying ? h('p', { class: 'muted' }, 'Underlying: ', ...shown(c.underlying)) : '');
  }

  #log({ lines, stdout, stderr }) {
    const ended = !!this.#data.pilot.ended_at;
    const why = ended ? '' : this.#sofar?.why;
    if (!ended && this.#sofar) ({ stdout = '', stderr = '' } = this.#sofar);
    const key = JSON.stringify([lines, stdout, stderr, why, ended]);
    const box = this.#parts.logBody;
    if (box.key === key) return;
    box.key = key;
    const pres = [...box.querySelectorAll('pre')];
    const had = pres.find((pre) => pre === document.activeElement)?.ariaLabel;
    const above = new Map(pres.filter((pre) => pre.scrollTop + pre.clientHeight < pre.scrollHeight - 1).map((pre) => [pre.ariaLabel, pre.scrollTop]));
    const out = (name, text) => (text ? [h('h3', {}, `${name}, its end${ended ? '' : ' so far'}`),
      h('pre', { class: 'out', tabindex: '0', role: 'region', 'aria-label': name }, ...output(text))] : []);
    box.replaceChildren(
      h('ul', { class: 'lines' }, ...lines.map((l) => h('li', {}, h('time', { datetime: l.time }, clock(l.time)), h('span', {}, ...shown(l.message))))),
      ...out('Standard output', stdout), ...out('Standard error', stderr),
      stdout || stderr ? '' : h('p', { class: 'muted' }, ended ? 'The payload printed nothing.' : why ? `What the payload prints is not known: ${why}.` : 'The payload has printed nothing yet.'));
    for (const pre of box.querySelectorAll('pre')) {
      pre.scrollTop = above.get(pre.ariaLabel) ?? pre.scrollHeight;
      if (pre.ariaLabel === had) pre.focus({ preventScroll: true });
    }
  }

  async #script(key) {
    const box = this.#parts.scriptBody;
    if (box.firstChild) return;
    box.replaceChildren(h('p', { class: 'muted' }, 'Rendering…'));
    try {
      const s = await ask(`/api/pilots/${pathOf(key)}/script`);
      box.replaceChildren(h('dl', { class: 'facts' }), h('h3', {}, 'Script'),
        h('pre', { class: 'out', tabindex: '0', role: 'region', 'aria-label': 'Script' }, ...shown(s.script)));
      facts(box.firstChild, [['Submitted by', s.command_line], ['In', s.dir], ['System', s.system], ['SHA-256', s.digest], ...(s.notes ?? []).map((n) => ['Note', n])]);
    } catch (e) {
      box.replaceChildren(h('p', { class: 'error' }, e.message));
    }
  }

  /** #tick draws what the clock changes. */
  #tick(all) {
    if (!this.#key || !this.#data || (!all && this.#data.pilot.ended_at)) return;
    const { marks } = this.#data;
    const store = this.#store;
    if (marks.length < 2) return;
    const now = store.now();
    const ended = store.final[marks[marks.length - 2]];
    const span = new Span(10);
    span.fit({ from: marks[1], to: marks[marks.length - 1], live: !ended }, now);
    draw(this.#parts.track, marks, store.final, span, now, store.states);
    const parts = steps(marks, store.final, now);
    const box = this.#parts.legend;
    if (box.count !== parts.length || all) {
      box.count = parts.length;
      box.replaceChildren(...parts.map(([state]) => Object.assign(h('li', {},
        h('span', { class: 'key', 'aria-hidden': 'true' }, h('span', { class: `seg g${state}` })), h('span', {}, store.states[state]), h('span', { class: 'muted' })))));
    }
    parts.forEach(([, ms], i) => (box.children[i].lastChild.textContent = duration(ms)));
  }
}

/** facts writes pairs into a list, unless they are there already. */
function facts(list, pairs) {
  pairs = pairs.filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== 0 && value !== false);
  const key = JSON.stringify(pairs);
  if (list.key === key) return;
  list.key = key;
  list.replaceChildren(...pairs.flatMap(([name, value]) => [h('dt', {}, ...shown(name)), h('dd', {}, ...shown(value))]));
}

/** who says who did something, and, of what holds on_behalf_of, for whom. */
const who = (actor, of) => (of.on_behalf_of ? `${actor ?? ''} for ${of.on_behalf_of}` : actor);
const by = (actor, of) => (actor ? ` by ${who(actor, of)}` : '');

function present(p) {
  return [
    ['Manager', p.manager], ['Resource', p.resource], ['Submitted', `${when(p.submitted_at)}${by(p.submitted_by, p)}`],
    ['Active', p.active_at && when(p.active_at)], ['Ends by', !p.ended_at && p.deadline && when(p.deadline)], ['Ended', p.ended_at && when(p.ended_at)],
    ['Attempt', p.attempt], ['Launcher', p.launcher], ['Job', p.job && [p.job.id, p.job.cluster, p.job.url, p.job.host].filter(Boolean).join(' · ')],
    ['Batch system says', p.job && [p.job.phase, p.job.native].filter(Boolean).join(' · ')], ['Nodes', p.nodes?.join(', ')], ['Cores', p.cores], ['GPUs', p.gpus],
    ['Sandbox', p.sandbox], ['Cancel', p.cancel && `${p.cancel.force ? 'at once' : `with ${p.cancel.grace} of grace`}, asked ${when(p.cancel.at)}${by(p.cancel.by, p.cancel)}`],
    ['Reason', p.cancel?.reason], ['Health', p.health], ['Degraded', p.degraded], ...(p.notes ?? []).map((n) => ['Note', n]),
  ];
}

const names = {
  executable: 'Executable', arguments: 'Arguments', environment: 'Environment', labels: 'Labels', runtime: 'Runtime', cores: 'Cores', nodes: 'Nodes',
  gpus: 'GPUs', memory: 'Memory', queue: 'Queue', project: 'Project', job_name: 'Job name', access_schema: 'Access schema', sandbox: 'Sandbox', cleanup: 'Clean up',
};

function description(d) {
  const text = (v) => (Array.isArray(v) ? v.map(quoted).join(' ') : v && typeof v === 'object' ? Object.entries(v).map(([k, x]) => `${k}=${x}`).join('\n') : v === true ? 'yes' : v);
  return Object.entries(names).filter(([k]) => k in d).map(([k, name]) => [name, text(d[k])]);
}

const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

function line(e, before, store) {
  const state = h('td');
  if (e.state) state.append(h('span', { class: 'state' }, icon(e.state, store.states.indexOf(e.state)), e.state));
  if (e.refused) state.append(h('span', { class: 'muted' }, 'refused'));
  const what = [e.refused && `counts for nothing: ${e.refused}`, e.job && `job ${e.job}`, e.message, e.cause && `${e.cause.code}${e.cause.message ? `: ${e.cause.message}` : ''}${e.cause.exit_code !== undefined ? ` (exit code ${e.cause.exit_code})` : ''}`];
  return h('tr', e.refused ? { class: 'refused' } : {}, h('td', {}, h('time', { datetime: e.time, title: when(e.time) }, precise(e.time))),
    h('td', {}, before ? `+${duration(new Date(e.time) - new Date(before.time))}` : ''), state,
    h('td', { class: 'happened' }, ...shown(what.filter(Boolean).join(' · '))), h('td', {}, plain(e.kind)), h('td', {}, plain(who(e.actor, e))), h('td', {}, String(e.seq)));
}
