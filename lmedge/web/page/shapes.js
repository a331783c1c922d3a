// The landmarks that a block of a latent asks for, as in lmedge/shapes.py: a mean [2K] normalised (x, y, x, y, ...), and the
// axes [n][2K] along which faces differ, one for each of the block's numbers.
import {isRow} from './mixture.js';

const MOST_POINTS = 4096;
const LARGEST = 1e3;
const SLANT = 1e-3; // cosine between two axes, which are at right angles, that rounding leaves at most
const DAMPING = 1e-3; // of how far the axes move a point, against those that hardly do

/** What to add to the block's numbers so that a point goes by (x, y), a share of the face: of all moves that do that the
 * shortest, so the likeliest one, as each axis is the same number of deviations long. */
export function pull({axes}, point, x, y) {
  const along = axes.map((axis) => [axis[2 * point], axis[2 * point + 1]]);
  const sum = (number) => along.reduce((total, step) => total + number(step), 0);
  const [xx, xy, yy] = [sum(([a]) => a * a), sum(([a, b]) => a * b), sum(([, b]) => b * b)];
  const damping = DAMPING * (xx + yy);
  const determinant = (xx + damping) * (yy + damping) - xy * xy;
  if (!(determinant > 0)) return along.map(() => 0); // no axis moves it
  const u = ((yy + damping) * x - xy * y) / determinant;
  const v = ((xx + damping) * y - xy * x) / determinant;
  return along.map(([a, b]) => u * a + v * b);
}

/** Do `size` numbers ask for landmarks by it? */
export function isShapeSpace(space, size) {
  const {mean, axes} = space ?? {};
  const length = Array.isArray(mean) ? mean.length : 0;
  return length > 0 && length % 2 === 0 && length <= 2 * MOST_POINTS && isRow(mean, length, LARGEST)
    && Array.isArray(axes) && axes.length === size && axes.every((axis) => isRow(axis, length, LARGEST) && axis.some((x) => x !== 0))
    && axes.every((axis, i) => axes.slice(0, i).every((other) => Math.abs(cosine(axis, other)) <= SLANT));
}

function cosine(a, b) {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

function dot(a, b) {
  return a.reduce((sum, x, i) => sum + x * b[i], 0);
}
