// The part of time that the timeline shows.

const steps = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000,
].map((s) => s * 1000);

export class Span {
  length = 0; // ms; 0: as long as the pilots need
  end = null; // null: it follows the present
  from = 0;
  to = 1;
  #least;

  /** least is how long it is at least where it is as long as needed and follows the present, ms. */
  constructor(least = 5000) { this.#least = least; }

  /** fit takes what is shown into account. */
  fit(found, now) {
    let from, to;
    if (this.length) {
      to = this.end ?? now + this.length / 50;
      from = to - this.length;
    } else {
      const first = Number.isFinite(found.from) ? found.from : now - 60_000;
      const last = found.live || !Number.isFinite(found.to) ? now : found.to;
      const length = Math.max(last - first, found.live ? this.#least : this.#least / 4);
      from = first - length / 100;
      to = first + length * 1.04;
    }
    this.from = from;
    this.to = to;
  }

  /** at is where a time stands, from 0 to 1 inside. */
  at(t) { return (t - this.from) / (this.to - this.from); }

  /** move goes by a part of the length. */
  move(part, now) {
    this.length ||= this.to - this.from;
    const last = now + this.length / 50; // what follows the present ends here
    this.end = Math.min(this.to, last) + part * this.length;
    if (this.end >= now) this.end = null;
  }

  follow() { this.end = null; }

  /** ticks are round times, no closer than that part of the length. */
  ticks(part) {
    const least = (this.to - this.from) * part;
    const step = steps.find((s) => s >= least) ?? Math.ceil(least / 7776e6) * 7776e6;
    const zone = new Date(this.from).getTimezoneOffset() * 60_000;
    const first = Math.ceil((this.from - zone) / step) * step + zone;
    const times = [];
    for (let t = first; t <= this.to; t += step) times.push(t);
    return { step, times };
  }
}
