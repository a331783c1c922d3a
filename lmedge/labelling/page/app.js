// Placing points: which face, which point, and what a key or a click does.
import {making} from './making.js';
import {ask, Store} from './store.js';
import {pointing, View} from './view.js';

const [NOT_PLACED, HIDDEN, VISIBLE] = [0, 1, 2]; // as COCO
const NOTHING = [0, 0, NOT_PLACED];
const DRAGGED = 6; // CSS pixels from where it was pressed, beyond which a proposal is dragged and not clicked on
const STEP = 0.25; // pixels of the face that an arrow moves a point
const SETTLE = 700; // milliseconds after which what was learnt meanwhile is asked for
const at = (id) => document.getElementById(id);
const view = new View(at('canvas'), at('loupe'));
const store = new Store({refused, changed: tell});

/** What is on the screen; tests read it too. `points` are rows `[x, y, visibility]` of the face; `draft`: a place of the point
 * `now` that is not kept yet. */
export const state = {
  scheme: null, labels: '', counts: [], fit: null, width: 0, height: 0, face: 0, now: 0, points: [], known: [], proposals: [],
  draft: null, undo: [], error: '', ready: false, store,
};
window.lmedge = {state, view};

async function start() {
  await refresh();
  if (!state.scheme) {
    await load(0);
    await making(view, state, say);
    await refresh();
  }
  at('labelling').hidden = false;
  const first = state.counts.findIndex((count) => count < state.scheme.names.length);
  await go(first < 0 ? state.counts.length - 1 : first);
  if (store.open(state.labels)) {
    await settled();
    await refresh();
    await reload();
  }
  listen();
  state.ready = true;
}

async function refresh() {
  const {scheme, labels, faces, fit, width, height} = await ask('/api/state');
  Object.assign(state, {scheme, labels, counts: faces, fit, width, height});
}

async function load(face) {
  const picture = new Image();
  picture.src = `/api/picture/${face}`;
  const [found] = await Promise.all([ask(`/api/face/${face}`), picture.decode()]);
  Object.assign(state, {face, ...found});
  view.show(picture, state.width, state.height, marks);
}

/** Shows a face, and takes up its first point that is not placed. Beyond the last one there are new ones. */
async function go(face) {
  try {
    if (face >= state.counts.length) {
      say('The next faces are chosen.');
      await settled();
      state.counts = Array.from({length: (await ask('/api/more', {})).faces}, (_, i) => state.counts[i] ?? 0);
    }
    await load(Math.max(0, Math.min(face, state.counts.length - 1)));
    state.error = '';
    list();
    take(Math.max(0, state.points.findIndex(([, , seen]) => seen === NOT_PLACED)));
  } catch (error) {
    fail(error);
  }
}

/** Waits until all that was placed is kept. */
async function settled() {
  while (store.working) await new Promise((done) => { setTimeout(done, 30); });
}

const isPlaced = (point) => state.points[point][2] !== NOT_PLACED;
const proposal = (point) => (at('proposals').checked ? state.proposals[point] : null);

/** What is drawn: known landmarks, proposals, placed points, and on top the one that it is about. */
function marks() {
  const found = [];
  if (at('known').checked) state.known.forEach(([x, y]) => found.push({x, y, kind: 'known'}));
  state.points.forEach(([x, y, seen], point) => {
    if (point === state.now && state.draft) return;
    const name = state.scheme.names[point];
    const now = point === state.now;
    if (seen) found.push({x, y, kind: seen === VISIBLE ? 'visible' : 'covered', point, name, now});
    else if (proposal(point)) {
      const [px, py, off] = proposal(point);
      found.push({x: px, y: py, off, kind: 'proposal', point, name, now});
    }
  });
  if (state.draft && state.scheme) {
    const [x, y] = state.draft;
    found.push({x, y, kind: 'visible', point: state.now, name: state.scheme.names[state.now], now: true});
  }
  return found.sort((one, other) => (one.now ? 1 : 0) - (other.now ? 1 : 0));
}

/** Takes a point up. */
function take(point) {
  const {length} = state.points;
  state.now = (point + length) % length;
  state.draft = null;
  tell();
}

/** The next point that is not placed, after the one that it is about; the one after it where there is none. */
function takeNext() {
  const {points, now} = state;
  const order = points.map((_, i) => (now + 1 + i) % points.length);
  take(order.find((point) => !isPlaced(point)) ?? order[0]);
}

/** Decides on a point: draws it, sends it, and can undo it. */
function put(point, row, undoing = false) {
  const was = state.points[point];
  const now = row[2] ? [Math.round(row[0] * 1e4) / 1e4, Math.round(row[1] * 1e4) / 1e4, row[2]] : NOTHING;
  if (now.every((value, i) => value === was[i])) return;
  state.points[point] = now;
  state.counts[state.face] = state.points.filter(([, , seen]) => seen).length;
  if (!undoing) state.undo.push({face: state.face, point, was});
  state.error = '';
  store.put({face: state.face, point, now, was});
  learnSoon();
}

async function undo() {
  const last = state.undo.pop();
  if (!last) return;
  if (last.face !== state.face) await go(last.face);
  put(last.point, last.was, true);
  take(last.point);
}

function refused(error, {face, point}) {
  if (face === state.face && error.now) state.points[point] = error.now;
  else if (face === state.face) reload();
  state.undo = state.undo.filter((job) => job.face !== face || job.point !== point);
  fail(error);
}

async function reload() {
  const found = await ask(`/api/face/${state.face}`).catch(() => null);
  if (found && !store.waiting.length) Object.assign(state, found);
  tell();
}

let learning;

/** Proposals get better while a person goes on; what other windows placed comes along. */
function learnSoon() {
  clearTimeout(learning);
  learning = setTimeout(async () => {
    await settled();
    try {
      const face = state.face;
      const [{faces, fit}, found] = await Promise.all([ask('/api/state'), ask(`/api/face/${face}`)]);
      if (store.working || store.waiting.length || face !== state.face) return;
      Object.assign(state, {counts: faces, fit, points: found.points, proposals: found.proposals});
      tell();
    } catch { /* the server is away; whoever places the next point is told */ }
  }, SETTLE);
}

function confirm() {
  const {now, draft, points} = state;
  const seen = points[now][2] || VISIBLE;
  if (draft) put(now, [...draft, seen]);
  else if (!isPlaced(now)) {
    const found = proposal(now);
    if (!found) return say(`Click ${state.scheme.names[now]}, or move it there with the arrows.`);
    put(now, [found[0], found[1], VISIBLE]);
  }
  takeNext();
}

function confirmAll() {
  state.points.forEach((_, point) => {
    const found = proposal(point);
    if (!isPlaced(point) && found) put(point, [found[0], found[1], VISIBLE]);
  });
  takeNext();
}

function hide() {
  const {now, points} = state;
  const [x, y] = state.draft ?? (isPlaced(now) ? points[now] : proposal(now) ?? []);
  if (x === undefined) return say(`Place ${state.scheme.names[now]} first, where it would be seen.`);
  state.draft = null;
  put(now, [x, y, points[now][2] === HIDDEN ? VISIBLE : HIDDEN]);
  tell();
}

function remove() {
  state.draft = null;
  put(state.now, NOTHING);
  tell();
}

function nudge(dx, dy) {
  const {now, points, width, height} = state;
  const [x, y] = state.draft ?? (isPlaced(now) ? points[now] : proposal(now) ?? [width / 2 - 0.5, height / 2 - 0.5]);
  const moved = [Math.min(width - 0.5, Math.max(-0.5, x + dx)), Math.min(height - 0.5, Math.max(-0.5, y + dy))];
  if (isPlaced(now)) put(now, [...moved, points[now][2]]);
  else state.draft = moved;
  tell();
}

const KEYS = {
  enter: confirm, a: confirmAll, h: hide, delete: remove, backspace: remove, z: undo,
  n: () => take(state.now + 1), p: () => take(state.now - 1),
  pagedown: () => go(state.face + 1), pageup: () => go(state.face - 1),
  k: () => at('known').click(), o: () => at('proposals').click(),
  '?': () => { at('keys').open = !at('keys').open; },
};
const ARROWS = {arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1]};

function listen() {
  document.addEventListener('keydown', (event) => {
    const key = event.key.toLowerCase();
    const controls = event.target.closest('button, input, summary');
    if (event.altKey || event.metaKey || (event.ctrlKey && key !== 'z') || (controls && key === 'enter')) return;
    const act = KEYS[key];
    const arrow = ARROWS[key];
    if (!act && !arrow) return;
    event.preventDefault();
    if (act) return void act();
    const step = event.shiftKey ? 1 : STEP;
    nudge(arrow[0] * step, arrow[1] * step);
    view.magnify(state.draft ?? state.points[state.now].slice(0, 2));
  });
  const buttons = {confirm, 'confirm-all': confirmAll, hidden: hide, remove, undo, before: KEYS.pageup, after: KEYS.pagedown};
  for (const [id, act] of Object.entries(buttons)) {
    at(id).onclick = (event) => {
      if (event.detail) at(id).blur(); // Enter goes on confirming after a click
      act();
    };
  }
  at('known').onchange = at('proposals').onchange = tell;
  let grip; // from where a pointer came, whether it moves nothing, and the proposal that it drags if it goes on
  pointing(view, {
    press(place, mark, offered) {
      if (mark?.point !== undefined) take(mark.point);
      grip = {from: place, idle: !mark && isPlaced(state.now), offered: mark ? null : offered};
      if (!grip.idle) state.draft = place;
      view.paint();
    },
    move(place) {
      const far = Math.hypot(place[0] - grip.from[0], place[1] - grip.from[1]) * view.scale;
      if (grip.offered && far > DRAGGED) {
        take(grip.offered.point);
        Object.assign(grip, {idle: false, offered: null});
      }
      if (!grip.idle) state.draft = place;
      view.paint();
    },
    release(place) {
      if (grip.idle) return say(`${state.scheme.names[state.now]} is placed already; drag it to move it.`);
      const isNew = !isPlaced(state.now);
      state.draft = null;
      put(state.now, [...place, state.points[state.now][2] || VISIBLE]);
      if (isNew) takeNext();
      else tell();
    },
    cancel() {
      state.draft = null;
      view.paint();
    },
  });
  window.addEventListener('focus', learnSoon); // another window may have placed some
}

function list() {
  at('points').replaceChildren(...state.scheme.names.map((name, point) => {
    const row = document.createElement('li');
    const [dot, text, what] = ['dot', 'text', 'what'].map((kind) => Object.assign(document.createElement('span'), {className: kind}));
    text.textContent = name;
    row.append(dot, text, what);
    row.onclick = () => take(point);
    return row;
  }));
}

/** Scrolls the list, and the list alone, to one of its rows. */
function reveal(row) {
  const {parentElement: list, offsetTop: top, offsetHeight: height} = row;
  list.scrollTop = Math.min(top, Math.max(list.scrollTop, top + height - list.clientHeight));
}

/** Says how things stand. */
function tell() {
  const {scheme, now, points, face, counts, fit} = state;
  if (!scheme) return;
  [...at('points').children].forEach((row, point) => {
    const seen = points[point][2];
    row.querySelector('.dot').className = `dot ${['', 'covered', 'visible'][seen]}`;
    row.querySelector('.what').textContent = seen === HIDDEN ? 'hidden' : !seen && proposal(point) ? 'proposed' : '';
    if (point === now && row.getAttribute('aria-current') !== 'true') reveal(row);
    row.setAttribute('aria-current', String(point === now));
  });
  at('name').textContent = scheme.names[now];
  at('hidden').setAttribute('aria-pressed', String(points[now][2] === HIDDEN));
  const found = !isPlaced(now) && proposal(now);
  const done = points.every((_, point) => isPlaced(point)) ? '. This face is done; → brings the next one' : '';
  at('hint').textContent = isPlaced(now) ? `is placed; drag it to move it${done}` : found ? 'is proposed; confirm it, or click it' : 'click it';
  at('undo').disabled = !state.undo.length;
  const whole = counts.filter((count) => count === scheme.names.length).length;
  const learnt = fit ? `; error on faces left out ${(100 * fit.error).toFixed(1)} % (${fit.worst} ${(100 * fit.worst_error).toFixed(1)} %)` : '';
  const lost = store.lost ? 'The server does not answer: what was placed since is sent when it is back. ' : '';
  say(lost || state.error || `Face ${face + 1} of ${counts.length}, ${counts[face]} of ${scheme.names.length} points; `
    + `${whole} whole${learnt}`, Boolean(lost || state.error));
  view.paint();
}

function say(text, bad = false) {
  at('status').className = bad ? 'error' : '';
  at('status').textContent = text;
}

function fail(error) {
  state.error = error.message;
  if (state.points.length && state.scheme) tell();
  say(error.message, true);
}

start().catch(fail);
