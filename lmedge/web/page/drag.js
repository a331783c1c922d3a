// Points of a picture that follow a finger or a mouse.
const REACH = {mouse: 12, pen: 16, touch: 24}; // CSS pixels from a point, within which it is taken
const SLOP = 4; // CSS pixels that a tap may go

/** Lets points of an element be dragged: `points()` are x and y of each, shares of the element, none where they cannot be;
 * `taken(point)` gives what is called with how far it has gone since, shares too. A drag is no click. */
export function draggable(element, points, taken) {
  let start = null; // of a drag: {x, y, move}
  let went = false;

  function near({clientX, clientY, pointerType}) {
    const {left, top, width, height} = element.getBoundingClientRect();
    const all = points();
    let [best, least] = [-1, REACH[pointerType] ?? REACH.mouse];
    for (let i = 0; i < all.length / 2; i++) {
      const far = Math.hypot(left + all[2 * i] * width - clientX, top + all[2 * i + 1] * height - clientY);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  element.addEventListener('pointerdown', (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    went = false;
    const point = near(event);
    if (point < 0) return;
    start = {x: event.clientX, y: event.clientY, move: taken(point)};
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener('pointermove', (event) => {
    if (!event.isPrimary) return;
    if (!start) {
      element.style.cursor = near(event) < 0 ? '' : 'grab';
      return;
    }
    const [x, y] = [event.clientX - start.x, event.clientY - start.y];
    went ||= Math.hypot(x, y) > SLOP;
    const {width, height} = element.getBoundingClientRect();
    if (went) start.move(x / width, y / height);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    element.addEventListener(end, () => {
      start = null;
      setTimeout(() => { went = false; }); // after the click of it
    });
  }
  element.addEventListener('touchmove', (event) => {
    if (start) event.preventDefault(); // the page would scroll
  }, {passive: false});
  element.addEventListener('click', (event) => {
    if (went) event.stopImmediatePropagation();
  }, true);
}
