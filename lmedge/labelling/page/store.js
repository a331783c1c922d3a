// What was decided on this page goes to the server, one after another, until it is kept there.
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
  constructor({refused, changed}) {
    Object.assign(this, {refused, changed, waiting: [], working: false, lost: false});
    window.addEventListener('beforeunload', (event) => { if (this.lost && this.waiting.length) event.preventDefault(); });
  }

  put(job) { // {face, point, now, was}
    this.waiting.push(job);
    if (!this.working) this.#work();
  }

  async #work() {
    this.working = true;
    while (this.waiting.length) {
      const job = this.waiting[0];
      try {
        await ask('/api/point', job);
        this.lost = false;
        this.waiting.shift();
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
        this.refused(error, job);
      }
      this.changed();
    }
    this.working = false;
    this.changed();
  }
}
