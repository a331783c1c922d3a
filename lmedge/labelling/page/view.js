// The face with its points, large, and a loupe where somebody points at.
const COLOURS = {visible: '#00e05a', covered: '#ffb000', proposal: '#38c8ff', known: '#ffffff90', now: '#ff3b6b'};
const LOUPE = 4; // times as large as the face is shown
const REACH = {mouse: 10, pen: 14, touch: 22}; // CSS pixels from a point, within which it is taken

/** Draws on `canvas` and `loupe`; `size()` are the pixels of the face. Places are pixels of the face, the centre of the first
 * one is 0, 0. */
export class View {
  constructor(canvas, loupe) {
    Object.assign(this, {canvas, loupe, picture: null, width: 1, height: 1});
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  /** Shows a face of `width` x `height` pixels. `marks()`: what is drawn on it, `{x, y, kind, name, now, off}`; `curves`: lists
   * of places in it. */
  show(picture, width, height, marks) {
    Object.assign(this, {picture, width, height, marks});
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    this.paint();
  }

  /** CSS pixels of a pixel of the face. */
  get scale() { return this.canvas.clientWidth / this.width; }

  /** Where an event of a pointer is, inside of the picture. */
  place({clientX, clientY}) {
    const {left, top} = this.canvas.getBoundingClientRect();
    const inside = (value, most) => Math.min(most - 0.5, Math.max(-0.5, value));
    return [inside((clientX - left) / this.scale - 0.5, this.width), inside((clientY - top) / this.scale - 0.5, this.height)];
  }

  /** The mark at an event of a pointer, of those that are placed, or of `kind`. */
  near(event, kind = null) {
    const [x, y] = this.place(event);
    const reach = (REACH[event.pointerType] ?? REACH.mouse) / this.scale;
    let [best, least] = [null, reach];
    for (const mark of this.marks()) {
      if (kind ? mark.kind !== kind : mark.kind === 'known' || mark.kind === 'proposal') continue;
      const far = Math.hypot(mark.x - x, mark.y - y);
      if (far < least) [best, least] = [mark, far];
    }
    return best;
  }

  paint() {
    if (!this.picture || !this.canvas.clientWidth) return;
    const dots = window.devicePixelRatio;
    this.canvas.width = Math.round(this.canvas.clientWidth * dots);
    this.canvas.height = Math.round(this.canvas.width * this.height / this.width);
    this.#draw(this.canvas.getContext('2d'), this.canvas.width / this.width, [-0.5, -0.5], dots);
    if (this.at) this.magnify(this.at);
  }

  /** Shows what is around a place, at `LOUPE` times the size; hides the loupe where there is none. A finger would cover
   * it: then it is above. */
  magnify(at, above = false) {
    this.at = at;
    this.loupe.hidden = !at;
    if (!at || !this.picture) return;
    const dots = window.devicePixelRatio;
    const side = this.loupe.clientWidth || 144;
    this.loupe.width = this.loupe.height = Math.round(side * dots);
    const scale = this.scale * LOUPE * dots;
    const half = this.loupe.width / scale / 2;
    this.#draw(this.loupe.getContext('2d'), scale, [at[0] - half, at[1] - half], dots, false);
    this.#cross(dots);
    const [x, y] = at.map((value) => (value + 0.5) * this.scale);
    const room = this.canvas.clientWidth - side;
    const left = above ? x - side / 2 : x + (x > room - 24 ? -side - 24 : 24);
    const top = y - side - 24;
    Object.assign(this.loupe.style, {
      left: `${Math.min(Math.max(left, 0), room)}px`,
      top: `${top < 0 ? (above && y < side ? Math.max(y + 48, 0) : y + 24) : top}px`,
    });
  }

  #cross(dots) {
    const context = this.loupe.getContext('2d');
    const middle = this.loupe.width / 2;
    context.strokeStyle = '#000';
    for (const [colour, width] of [['#fff', 3], ['#000', 1]]) {
      context.strokeStyle = colour;
      context.lineWidth = width * dots * 0.7;
      context.beginPath();
      for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(middle + 4 * dots * x, middle + 4 * dots * y);
        context.lineTo(middle + 16 * dots * x, middle + 16 * dots * y);
      }
      context.stroke();
    }
  }

  /** `scale` dots for each pixel of the face, `from` the place in the corner. */
  #draw(context, scale, from, dots, names = true) {
    const at = (x, y) => [(x - from[0]) * scale, (y - from[1]) * scale];
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(this.picture, ...at(-0.5, -0.5), this.width * scale, this.height * scale);
    for (const mark of this.marks()) {
      const [x, y] = at(mark.x, mark.y);
      const radius = (mark.kind === 'known' ? 2 : 4) * dots;
      context.lineWidth = 1.5 * dots;
      context.strokeStyle = context.fillStyle = COLOURS[mark.now ? 'now' : mark.kind];
      context.beginPath();
      if (mark.off) { // how sure the fit is
        context.arc(x, y, Math.max(mark.off * scale, radius), 0, 2 * Math.PI);
        context.stroke();
        context.beginPath();
      }
      context.arc(x, y, radius, 0, 2 * Math.PI);
      if (mark.kind === 'known') context.fill();
      else {
        context.stroke();
        if (mark.kind !== 'proposal') {
          context.beginPath();
          context.arc(x, y, 1.5 * dots, 0, 2 * Math.PI);
          context.fill();
        }
      }
      if (names && mark.now && mark.name) {
        context.font = `${13 * dots}px system-ui, sans-serif`;
        context.lineWidth = 3 * dots;
        context.strokeStyle = '#000a';
        context.fillStyle = '#fff';
        const right = x + 10 * dots + context.measureText(mark.name).width > context.canvas.width;
        context.textAlign = right ? 'right' : 'left';
        const where = [x + (right ? -10 : 10) * dots, y + 18 * dots];
        context.strokeText(mark.name, ...where);
        context.fillText(mark.name, ...where);
      }
    }
  }
}

/** Lets somebody point at a place: `press(place, mark, proposal)` begins, `move(place)` goes on, `release(place)` ends, and
 * `cancel()` undoes what began. Returns what ends it. */
export function pointing(view, {press, move, release, cancel}) {
  const {canvas} = view;
  const listening = new AbortController();
  const on = (name, act) => canvas.addEventListener(name, act, {signal: listening.signal});
  let shift = null; // from the pointer to what it drags, in pixels of the face

  const placed = (event) => {
    const [x, y] = view.place(event);
    return shift ? [x + shift[0], y + shift[1]] : [x, y];
  };
  on('pointerdown', (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    canvas.focus({preventScroll: true});
    const mark = view.near(event);
    const [x, y] = view.place(event);
    shift = mark ? [mark.x - x, mark.y - y] : [0, 0];
    canvas.setPointerCapture(event.pointerId);
    press(placed(event), mark, view.near(event, 'proposal'));
    view.magnify(placed(event), event.pointerType === 'touch');
  });
  on('pointermove', (event) => {
    if (!event.isPrimary) return;
    if (shift) move(placed(event));
    if (shift || event.pointerType === 'mouse') view.magnify(placed(event), event.pointerType === 'touch');
  });
  on('pointerup', (event) => {
    if (!event.isPrimary || !shift) return;
    const where = placed(event);
    shift = null;
    release(where);
    if (event.pointerType !== 'mouse') view.magnify(null);
  });
  on('pointercancel', () => {
    shift = null;
    view.magnify(null);
    cancel();
  });
  on('pointerleave', () => { if (!shift) view.magnify(null); });
  return () => listening.abort();
}
