// How many pilots there were over time, as areas on top of each other.

import { h, many, number, tick } from './text.js';

// From below: what runs, what is on its way out, what waits.
const groups = [{ name: 'running', states: ['ACTIVE'], color: '--s3' }, { name: 'canceling', states: ['CANCELING'], color: '--s4' },
  { name: 'waiting', states: ['PENDING_LAUNCH', 'LAUNCHING', 'PENDING_ACTIVE'], color: '--s0' }];

export class Load {
  #canvas; #axis; #colors; #ticks = '';

  constructor(canvas, axis) {
    this.#canvas = canvas;
    this.#axis = axis;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (this.#colors = undefined));
  }

  get width() { return this.#canvas.clientWidth; }

  /** draw shows the items; their marks are read anew each time. */
  draw(items, store, span, now) {
    const width = this.#canvas.clientWidth;
    const height = this.#canvas.clientHeight;
    if (width === 0) return;
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    const bins = Math.max(1, Math.floor(width / 2));
    const counts = count(items, store, span, now, bins);
    this.#paint(counts, bins, width, height, ratio);
  }

  #paint(counts, bins, width, height, ratio) {
    this.#colors ??= groups.map((g) => getComputedStyle(this.#canvas).getPropertyValue(g.color)).concat(
      getComputedStyle(this.#canvas).getPropertyValue('--muted'), getComputedStyle(this.#canvas).getPropertyValue('--line'));
    let most = 0;
    for (let b = 0; b < bins; b++) most = Math.max(most, counts[0][b] + counts[1][b] + counts[2][b]);
    const c = this.#canvas.getContext('2d');
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.fillStyle = this.#colors[4];
    c.fillRect(0, height - 1, width, 1);
    const top = 15; // for the number
    const scale = (height - top - 1) / Math.max(most, 1);
    const w = width / bins;
    const base = new Float64Array(bins);
    groups.forEach((_, g) => {
      c.fillStyle = this.#colors[g];
      c.globalAlpha = opacity(g);
      c.beginPath();
      for (let b = 0; b < bins; b++) {
        if (counts[g][b] === 0) continue;
        const y = counts[g][b] * scale;
        c.rect(b * w, height - 1 - base[b] - y, w + 0.3, y);
        base[b] += y;
      }
      c.fill();
    });
    c.globalAlpha = 1;
    if (most > 0) {
      c.font = '11px system-ui, sans-serif';
      c.textBaseline = 'top';
      let x = this.#text(c, `${number(most)} at most`, 0) + 14;
      if (width > 320) {
        groups.forEach((g, i) => {
          c.fillStyle = this.#colors[i];
          c.globalAlpha = opacity(i);
          c.fillRect(x, 2, 9, 9);
          c.globalAlpha = 1;
          x = this.#text(c, g.name, x + 13) + 10;
        });
      }
    }
    const label = `Pilots over time: ${many(most, 'pilot')} at most at a time in the part of time shown`;
    if (this.#canvas.getAttribute('aria-label') !== label) this.#canvas.setAttribute('aria-label', label);
  }

  #text(c, text, x) {
    c.fillStyle = this.#colors[3];
    c.fillText(text, x, 1);
    return x + c.measureText(text).width;
  }

  /** ticks writes the axis, and gives what the grid behind the bars needs. */
  ticks(span) {
    const width = this.width || 1;
    const { step, times } = span.ticks(Math.min(1, 76 / width));
    const places = times.map((t) => [span.at(t), tick(t, step)]).filter(([at]) => (1 - at) * width > 58 || at === span.at(times[0]));
    const key = JSON.stringify(places.map(([at, text]) => [Math.round(at * width), text]));
    if (key !== this.#ticks) {
      this.#ticks = key;
      while (this.#axis.children.length > places.length) this.#axis.lastChild.remove();
      while (this.#axis.children.length < places.length) this.#axis.append(h('span'));
      places.forEach(([at, text], i) => {
        const e = this.#axis.children[i];
        if (e.textContent !== text) e.textContent = text;
        e.style.left = `${(at * 100).toFixed(3)}%`;
      });
    }
    return { at: places.length ? places[0][0] * width : -1, step: (step / (span.to - span.from)) * width };
  }
}

const opacity = (g) => (g === 2 ? 0.6 : 0.9);

/** count gives how many pilots of each group there were in each bin. */
function count(items, store, span, now, bins) {
  const group = store.states.map((s) => groups.findIndex((g) => g.states.includes(s)));
  const change = groups.map(() => new Int32Array(bins + 1));
  for (const item of items) {
    const m = item.row.marks;
    const bin = (t) => Math.floor(span.at(t) * bins);
    const ended = group[m[m.length - 2]] < 0;
    const states = ended ? m.length - 2 : m.length;
    for (let i = 0; i < states; i += 2) {
      const g = group[m[i]];
      const from = bin(m[i + 1]);
      // A pilot counts once in each bin, by the state it had at the bin's end;
      // its last bin counts too, so that none is too short to be seen.
      const to = i + 2 < states ? bin(m[i + 3]) : bin(ended ? m[m.length - 1] : now) + 1;
      if (g < 0 || to <= from || to <= 0 || from >= bins) continue;
      change[g][Math.max(0, from)]++;
      change[g][Math.min(bins, to)]--;
    }
  }
  for (const c of change) for (let b = 1; b < bins; b++) c[b] += c[b - 1];
  return change;
}
