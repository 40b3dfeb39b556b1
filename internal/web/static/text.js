// Texts and elements. Whatever comes from the log becomes a text node here and
// nothing else; the page's policy would refuse markup anyway.

/** h makes an element; children are elements or texts. */
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null && c !== ''));
  return e;
}

const svg = 'http://www.w3.org/2000/svg';

/** icon shows a state's sign; its name stands beside it. */
export function icon(state, index) {
  const e = document.createElementNS(svg, 'svg');
  e.setAttribute('aria-hidden', 'true');
  e.append(document.createElementNS(svg, 'use'));
  setIcon(e, state, index);
  return e;
}

export function setIcon(e, state, index) {
  e.setAttribute('class', `i${index}`);
  e.firstChild.setAttribute('href', `#i-${state}`);
}

// What a text must not do to its neighbours, or hide: controls, and characters
// that reorder, join or are not to be seen.
const odd = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/;
const odds = new RegExp(odd.source, 'g');
const code = (c) => 'U+' + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');

/** plain gives a text in one line, with what is odd in it named. */
export function plain(text) {
  return String(text ?? '').replace(/\s*\n\s*/g, ' ').replace(odds, (c) => `⟨${code(c)}⟩`);
}

/** shown gives nodes for a text: what is odd in it stands out. */
export function shown(text) {
  text = String(text ?? '');
  if (!odd.test(text)) return [text];
  const nodes = [];
  let from = 0;
  for (const m of text.matchAll(odds)) {
    nodes.push(text.slice(from, m.index), h('span', { class: 'odd' }, code(m[0])));
    from = m.index + 1;
  }
  nodes.push(text.slice(from));
  return nodes.filter((n) => n !== '');
}

// Colours and cursor movements of terminals (ECMA-48), and titles (OSC).
const ansi = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\^_])/g;

/** output gives nodes for what a payload printed, without the colours. */
export function output(text) {
  return shown(String(text ?? '').replace(ansi, '').replace(/\r\n/g, '\n'));
}

/** many says "1 pilot", "2,000 pilots". */
export const many = (n, one, more = one + 's') => `${number(n)} ${n === 1 ? one : more}`;
const numbers = new Intl.NumberFormat('en');
export const number = (n) => numbers.format(n);

const two = (n) => String(n).padStart(2, '0');

/** duration gives a time span in two units at most. */
export function duration(ms) {
  if (ms < 0) ms = 0;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d ${two(Math.floor(s / 3600) % 24)}h`;
}

const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const second = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const exact = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' });
const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

export const when = (t) => full.format(new Date(t));
export const precise = (t) => exact.format(new Date(t));
export const clock = (t) => second.format(new Date(t));

/** tick labels a place on an axis whose steps are that long. */
export function tick(t, step) {
  const d = new Date(t);
  if (step < 60_000) return second.format(d);
  if (step >= 86_400_000 || d.getHours() + d.getMinutes() === 0) return day.format(d);
  return minute.format(d);
}
