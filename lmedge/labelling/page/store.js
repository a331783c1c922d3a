// What was decided on this page goes to the server, one after another, until it is kept there. What is not yet there stays
// in the browser too, for when both the server and the page are ended.
const STORED = 'lmedge-labels'; // of each window a key: this, the labels, the window
const AGAIN = 1500; // milliseconds until a server that does not answer is asked again

/** The answer of the server. Throws an Error with its sentence; `status` 0 where it does not answer. */
export async function ask(path, body) {
  const options = body && {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'},
    keepalive: true}; // also when the page is closed
  const fail = (message, status, now) => Object.assign(new Error(message), {status, now});
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw fail('The server does not answer.', 0);
  }
  const found = await answer.json().catch(() => ({error: `The server says ${answer.status}.`}));
  if (!answer.ok) throw fail(found.error, answer.status, found.now);
  return found;
}

/** Sends points in the order in which they were placed. `refused(error, job)` is told of one that is not kept; `changed()` of
 * every step. */
export class Store {
  #key = null;

  constructor({refused, changed}) {
    Object.assign(this, {refused, changed, waiting: [], working: false, lost: false});
    window.addEventListener('beforeunload', (event) => { if (this.lost && this.waiting.length) event.preventDefault(); });
  }

  put(job) { // {face, point, now, was}
    this.waiting.push(job);
    this.#keep();
    if (!this.working) this.#work();
  }

  /** Keeps what is not sent with the labels called `labels`, and sends what another window left behind. What it was decided
   * on goes along, so that nothing newer is overwritten. Returns how many points these are. */
  open(labels) {
    if (!labels) return 0;
    const mine = `${STORED}:${labels}:`;
    this.#key = mine + Math.random().toString(36).slice(2);
    try {
      const left = Object.keys(localStorage).filter((key) => key.startsWith(mine));
      const jobs = left.flatMap((key) => listed(localStorage.getItem(key)));
      jobs.forEach((job) => this.put(job)); // which keeps them, before
      left.forEach((key) => localStorage.removeItem(key));
      return jobs.length;
    } catch { // the browser lets nothing be kept
      return 0;
    }
  }

  #keep() {
    if (!this.#key) return;
    try {
      if (this.waiting.length) localStorage.setItem(this.#key, JSON.stringify(this.waiting));
      else localStorage.removeItem(this.#key);
    } catch { /* the browser keeps nothing: what is not sent is here alone */ }
  }

  async #work() {
    this.working = true;
    while (this.waiting.length) {
      const job = this.waiting[0];
      try {
        await ask('/api/point', job);
        this.lost = false;
        this.waiting.shift();
        this.#keep();
      } catch (error) {
        if (error.status === 0) { // it was ended, or the network was: what is here stays here until it is back
          this.lost = true;
          this.changed();
          await new Promise((done) => { setTimeout(done, AGAIN); });
          continue;
        }
        this.waiting.shift();
        // What was decided after it, of the same point, was decided on what is not so.
        this.waiting = this.waiting.filter(({face, point}) => face !== job.face || point !== job.point);
        this.#keep();
        this.refused(error, job);
      }
      this.changed();
    }
    this.working = false;
    this.changed();
  }
}

/** The jobs that a window left behind. */
function listed(text) {
  try {
    const jobs = JSON.parse(text);
    return Array.isArray(jobs) ? jobs.filter((job) => Array.isArray(job?.now) && Array.isArray(job.was)) : [];
  } catch {
    return [];
  }
}
