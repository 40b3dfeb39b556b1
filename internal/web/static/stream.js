// The stream of changes. The browser comes back by itself after a break and
// says the last event it saw; after an answer that is no stream, this does.

const first = 500; // ms between attempts, doubling
const most = 8000;

/**
 * Stream tells on.hello, on.rows, on.gone and on.standing what comes, on.link
 * how the connection stands, and on.denied that a token is needed.
 */
export class Stream {
  #on; #source; #last = ''; #timer = 0; #pause = first;

  constructor(on) {
    this.#on = on;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#rest() : this.#wake()));
  }

  open() {
    this.close();
    const source = new EventSource('/api/events' + (this.#last ? `?after=${this.#last}` : ''));
    this.#source = source;
    const on = (name, f) => source.addEventListener(name, (e) => f(JSON.parse(e.data), e.lastEventId));
    on('hello', (m) => {
      this.#pause = first;
      this.#on.hello(m);
    });
    on('rows', (rows, id) => {
      this.#last = id;
      this.#on.rows(rows);
    });
    on('gone', (m) => this.#on.gone(m));
    on('standing', () => {
      this.#on.link('live');
      this.#on.standing();
    });
    source.addEventListener('error', () => this.#broken(source));
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  /** A page that nobody sees needs no stream: browsers open only a few of them. */
  #rest() {
    if (this.#source) this.#timer = setTimeout(() => {
      this.close();
      this.resting = true;
    }, 5000);
  }

  #wake() {
    clearTimeout(this.#timer);
    if (this.resting) {
      this.resting = false;
      this.open();
    }
  }

  async #broken(source) {
    if (source !== this.#source) return;
    this.#on.link('again');
    if (source.readyState !== EventSource.CLOSED) return;
    this.close();
    let status = 0;
    try {
      status = (await fetch('/api/marks')).status;
    } catch {
      // nobody is there yet
    }
    if (status === 401) {
      this.#on.denied();
      return;
    }
    this.#timer = setTimeout(() => this.open(), this.#pause * (0.5 + Math.random() / 2));
    this.#pause = Math.min(2 * this.#pause, most);
  }
}
