// A pilot's bar: one segment for each state it was in, and a sign at its end.

import { clock, duration, h, icon, setIcon } from './text.js';

/** draw puts the bar of these marks on a track. now ends what has not ended. */
export function draw(track, marks, final, span, now, states) {
  const segs = (track.segs ??= []);
  let used = 0;
  for (let i = 0; i + 1 < marks.length; i += 2) {
    const state = marks[i];
    if (final[state]) break;
    const from = Math.max(0, span.at(marks[i + 1]));
    const to = Math.min(1, span.at(i + 3 < marks.length ? marks[i + 3] : now));
    if (to < 0 || from > 1 || to < from) continue;
    const seg = segs[used] ?? (segs[used] = track.appendChild(h('span', { class: 'seg' })));
    used++;
    place(seg, state, from, to - from);
  }
  for (let i = used; i < segs.length; i++) if (!segs[i].hidden) segs[i].hidden = true;
  end(track, marks, final, span, states);
  aside(track, marks, final, span, now);
}

function place(seg, state, from, width) {
  if (seg.hidden) seg.hidden = false;
  if (seg.state !== state) {
    seg.state = state;
    seg.className = `seg g${state}`;
  }
  if (seg.from !== from) {
    seg.from = from;
    seg.style.left = `${(from * 100).toFixed(3)}%`;
  }
  if (seg.width !== width) {
    seg.width = width;
    seg.style.width = `${(width * 100).toFixed(3)}%`;
  }
}

function end(track, marks, final, span, states) {
  const state = marks[marks.length - 2];
  const at = span.at(marks[marks.length - 1]);
  const there = final[state] && at >= 0 && at <= 1;
  if (!there) {
    if (track.end) track.end.style.display = 'none';
    return;
  }
  const e = (track.end ??= track.appendChild(icon(states[state], state)));
  setIcon(e, states[state], state);
  e.classList.add('end-mark');
  e.style.display = '';
  e.style.left = `min(${(at * 100).toFixed(3)}%, 100% - 18px)`;
}

/** aside says where a bar is that is not in sight. */
function aside(track, marks, final, span, now) {
  const last = final[marks[marks.length - 2]] ? marks[marks.length - 1] : now;
  const before = span.at(last) < 0;
  const after = span.at(marks[1]) > 1;
  if (!before && !after) {
    if (track.aside) track.aside.hidden = true;
    return;
  }
  const e = (track.aside ??= track.appendChild(h('span', { class: 'aside' })));
  e.hidden = false;
  e.className = after ? 'aside right' : 'aside';
  e.textContent = after ? 'later ▸' : '◂ earlier';
}

/** steps are the states of these marks with how long each took. */
export function steps(marks, final, now) {
  const all = [];
  for (let i = 0; i + 1 < marks.length; i += 2) {
    if (final[marks[i]]) break;
    all.push([marks[i], (i + 3 < marks.length ? marks[i + 3] : now) - marks[i + 1]]);
  }
  return all;
}

/** words say what a bar shows, and stay true while time goes on. */
export function words(marks, final, states) {
  const last = marks[marks.length - 2];
  const all = steps(marks, final, 0).map(([state, ms], i, { length }) =>
    !final[last] && i === length - 1 ? `${states[state]} since ${clock(marks[2 * i + 1])}` : `${states[state]} ${duration(ms)}`);
  if (final[last]) all.push(states[last]);
  return all.join(', ');
}
