// A mixture of normal distributions, as in lmedge/mixture.py: weights [M], means [M][n], and of each part the factor of its
// covariance, the lower half, row by row: [M][n (n + 1) / 2].
import {normal} from './normal.js';

const SMALLEST_SHARE = 2 ** -25; // that a normal number is drawn of
const MOST_PARTS = 64;
const LARGEST = 1e6;

/** A draw [n] from evenly spread numbers 0..1: the first chooses the part, and what is left of it is spread again. Sums go
 * from left to right, so that the bits are those of Python. */
export function quantile({weights, means, factors}, shares) {
  let [part, begins, ends] = [0, 0, weights[0]];
  while (part < weights.length - 1 && shares[0] >= ends) {
    begins = ends;
    ends += weights[++part];
  }
  const spread = [(shares[0] - begins) / weights[part], ...shares.slice(1)];
  const normals = spread.map((share) => normal(Math.min(1 - SMALLEST_SHARE, Math.max(SMALLEST_SHARE, share))));
  let next = 0;
  return means[part].map((mean, i) => {
    let sum = mean;
    for (let j = 0; j <= i; j++) sum += factors[part][next++] * normals[j];
    return sum;
  });
}

/** Can `size` numbers be drawn from it? */
export function isMixture(mixture, size) {
  const {weights, means, factors} = mixture ?? {};
  const parts = Array.isArray(weights) ? weights.length : 0;
  const all = (rows, length) => Array.isArray(rows) && rows.length === parts && rows.every((row) => isRow(row, length, LARGEST));
  return parts > 0 && parts <= MOST_PARTS && isRow(weights, parts, LARGEST) && all(means, size)
    && all(factors, (size * (size + 1)) / 2) && Math.min(...weights) > 0
    && Math.abs(weights.reduce((sum, weight) => sum + weight) - 1) <= 1e-6
    && [...means, ...factors].some((row) => row.some((x) => x !== 0)); // else it draws one number only
}

/** `length` numbers up to `largest`? */
export function isRow(row, length, largest) {
  return Array.isArray(row) && row.length === length && row.every((x) => Number.isFinite(x) && Math.abs(x) <= largest);
}
