// A new scheme: points are named and clicked on a first face.
import {ask} from './store.js';
import {pointing} from './view.js';

const at = (id) => document.getElementById(id);
const SIDE = /left|right|(?<![\p{L}])[lr](?![\p{L}])/giu; // as lmedge/scheme.py
const OTHER = {left: 'right', right: 'left', l: 'r', r: 'l'};

/** The name of the point on the other side. */
export function otherSide(name) {
  return name.replace(SIDE, (side) => {
    const other = OTHER[side.toLowerCase()];
    if (side === side.toUpperCase() && side.length > 1) return other.toUpperCase();
    return side[0] === side[0].toUpperCase() ? other[0].toUpperCase() + other.slice(1) : other;
  });
}

/** Lets somebody make a scheme; resolves when the server has taken it. */
export function making(view, state, say) {
  const made = []; // {name, x, y, partner}: partner is a name, or '' where nobody has chosen one
  let dragged = null;
  state.made = made;
  view.marks = () => made.map(({name, x, y}, i) => ({x, y, kind: 'visible', point: i, name, now: i === (dragged ?? made.length - 1)}));
  at('making').hidden = false;
  at('name').textContent = 'A new scheme';
  at('point-name').focus();
  say('Name a point, then click it.');

  /** The index of the point that a point changes places with in a mirror: the one that was chosen, or else the one that is
   * called so on the other side. */
  const partner = (i) => {
    const wanted = made[i].partner || otherSide(made[i].name);
    const j = made.findIndex(({name}) => name === wanted);
    return j < 0 ? i : j;
  };

  function list() {
    at('made').replaceChildren(...made.map((point, i) => {
      const row = document.createElement('li');
      const text = Object.assign(document.createElement('span'), {textContent: point.name});
      const mirror = document.createElement('select');
      mirror.title = 'in a mirror it changes places with';
      mirror.setAttribute('aria-label', `${point.name} changes places in a mirror with`);
      made.forEach(({name}, j) => mirror.add(new Option(i === j ? 'stays in a mirror' : `↔ ${name}`, name)));
      mirror.value = made[partner(i)].name;
      mirror.onchange = () => {
        const before = made[partner(i)];
        point.partner = mirror.value;
        const now = made.find(({name}) => name === mirror.value);
        if (before !== now && before !== point) before.partner = before.name;
        now.partner = point.name;
        list();
      };
      const remove = Object.assign(document.createElement('button'), {type: 'button', textContent: '×', title: 'remove'});
      remove.onclick = () => { made.splice(i, 1); list(); };
      row.append(text, mirror, remove);
      return row;
    }));
    [['first', 0], ['second', 1]].forEach(([id, usual]) => {
      const before = at(id).value;
      at(id).replaceChildren(...made.map(({name}) => new Option(name, name)));
      const pair = made.findIndex((_, i) => partner(i) !== i);
      const suggested = pair < 0 ? made[usual] : made[usual ? partner(pair) : pair];
      at(id).value = made.some(({name}) => name === before) && at(id).touched ? before : suggested?.name ?? '';
    });
    view.paint();
  }
  for (const id of ['first', 'second']) at(id).onchange = () => { at(id).touched = true; };

  const stop = pointing(view, {
    press(place, mark) {
      const name = at('point-name').value.trim();
      if (mark) dragged = mark.point;
      else if (!name) return say('Name the point first, then click it.', true);
      else if (made.some((point) => point.name === name)) return say(`There is a point ${name} already.`, true);
      else dragged = made.push({name, x: 0, y: 0, partner: ''}) - 1;
      [made[dragged].x, made[dragged].y] = place;
      view.paint();
    },
    move(place) {
      if (dragged === null) return;
      [made[dragged].x, made[dragged].y] = place;
      view.paint();
    },
    release() {
      if (dragged === null) return;
      const isLast = dragged === made.length - 1;
      dragged = null;
      if (isLast) {
        const other = otherSide(made.at(-1).name);
        at('point-name').value = made.some(({name}) => name === other) ? '' : other; // the partner is suggested
        at('point-name').select();
        at('point-name').focus({preventScroll: true});
      }
      say(`${made.length} ${made.length === 1 ? 'point' : 'points'}. Name the next one, then click it.`);
      list();
    },
    cancel() { dragged = null; },
  });

  at('point-name').onkeydown = (event) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    say(`Now click ${at('point-name').value.trim() || 'it, once it has a name'}.`);
  };

  return new Promise((done) => {
    at('making').onsubmit = async (event) => {
      event.preventDefault();
      const names = made.map(({name}) => name);
      const scheme = {
        name: at('scheme-name').value.trim(), names, mirror: made.map((_, i) => partner(i)), curves: [],
        reference: ['first', 'second'].map((id) => names.indexOf(at(id).value)), origin: names.map(() => 'hand'),
      };
      try {
        await ask('/api/scheme', {scheme, points: made.map(({x, y}) => [x, y])});
      } catch (error) {
        return say(error.message, true);
      }
      at('making').hidden = true;
      stop();
      done();
    };
  });
}
