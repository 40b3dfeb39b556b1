// All pilots the page knows of. A pilot is an item that stays the same object
// while its row is replaced by newer ones.

export class Store {
  items = new Map(); // by "manager/uid"
  order = []; // of items, by birth
  states = [];
  older = []; // how many ended too long ago to be kept, by manager, resource and state
  horizon = 0;
  standing = false; // all there is has come
  mayCancel = false;
  skew = 0; // of the server's clock against ours, ms
  version = 0; // grows with every change

  now() { return Date.now() + this.skew; }

  hello(m) {
    if (m.fresh) {
      this.items.clear();
      this.order = [];
      this.standing = false;
    }
    this.states = m.states;
    this.final = m.states.map((s) => s === 'DONE' || s === 'CANCELED' || s === 'FAILED');
    this.mayCancel = m.cancel;
    this.skew = m.now - Date.now();
    this.gone(m);
  }

  /** gone lets go of pilots that the server does not keep any more. */
  gone({ horizon, older }) {
    this.older = older;
    this.version++;
    if (horizon <= this.horizon && this.items.size > 0) return;
    this.horizon = horizon;
    const stays = (i) => i.row.seq > horizon || !this.ended(i);
    for (const i of this.order) if (!stays(i)) this.items.delete(i.key);
    this.order = this.order.filter(stays);
  }

  ended(item) { return this.final[item.state]; }

  put(rows) {
    this.version++;
    for (const row of rows) {
      const key = `${row.manager}/${row.uid}`;
      let item = this.items.get(key);
      if (!item) {
        item = { key, row };
        this.items.set(key, item);
        this.insert(item);
      } else if (row.partial && !item.row.partial) {
        row.marks = joined(item.row.marks, row.marks);
        row.partial = false;
      }
      item.row = row;
      item.state = this.states.indexOf(row.state);
      item.hay = '';
    }
  }

  insert(item) {
    const born = item.row.born;
    let at = this.order.length;
    if (at > 0 && this.order[at - 1].row.born > born) {
      let from = 0;
      while (from < at) {
        const mid = (from + at) >> 1;
        if (this.order[mid].row.born < born) from = mid + 1;
        else at = mid;
      }
    }
    this.order.splice(at, 0, item);
  }

  /** learn takes marks that leave nothing out. */
  learn(all) {
    for (const [key, marks] of Object.entries(all)) {
      const item = this.items.get(key);
      if (!item) continue;
      item.row.marks = joined(marks, item.row.marks);
      item.row.partial = false;
    }
    this.version++;
  }

  /** select gives the items that match, and counts them. */
  select(f) {
    const n = this.states.length;
    const text = f.text.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = this.states.map((s) => f.states.size === 0 || f.states.has(s));
    const out = {
      items: [], states: new Array(n).fill(0), resources: new Map(), managers: new Set(), labels: new Set(),
      total: this.order.length, older: 0, from: Infinity, to: -Infinity, live: false,
    };
    const count = (manager, resource, state, by) => {
      if (f.manager && manager !== f.manager) return false;
      if (!f.resource || resource === f.resource) out.states[state] += by;
      if (!wanted[state]) return false;
      let r = out.resources.get(resource);
      if (!r) out.resources.set(resource, (r = new Array(n).fill(0)));
      r[state] += by;
      return !f.resource || resource === f.resource;
    };
    for (const item of this.order) {
      const row = item.row;
      out.managers.add(row.manager);
      out.labels.add(row.resource);
      if (text.length && !matches(item, text)) continue;
      if (!count(row.manager, row.resource, item.state, 1)) continue;
      out.items.push(item);
      const m = row.marks;
      if (m[1] < out.from) out.from = m[1];
      if (m[m.length - 1] > out.to) out.to = m[m.length - 1];
      if (!this.final[item.state]) out.live = true;
    }
    for (const o of this.older) {
      out.managers.add(o.manager);
      out.labels.add(o.resource);
      out.total += o.count;
      if (!text.length && count(o.manager, o.resource, this.states.indexOf(o.state), o.count)) out.older += o.count;
    }
    if (f.sort === 'newest') out.items.reverse();
    if (f.sort === 'changed') out.items.sort((a, b) => b.row.seq - a.row.seq);
    return out;
  }
}

function matches(item, words) {
  if (!item.hay) {
    const r = item.row;
    item.hay = [r.uid, r.manager, r.resource, r.state, r.what, r.size, r.labels, r.by, r.job, r.cause, r.health].join('\n').toLowerCase();
  }
  return words.every((w) => item.hay.includes(w));
}

/** joined are whole marks with what newer, partial ones add. */
function joined(whole, partial) {
  if (whole.length === 0) return partial;
  const [state, at] = partial.slice(-2);
  return whole[whole.length - 2] === state ? whole : [...whole, state, Math.max(at, whole[whole.length - 1])];
}
