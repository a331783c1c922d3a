// Latents of a seed, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as in lmedge/latent.py. What a
// latent is, its blocks of numbers in their order, is said as in bundle.json.
import {isMixture, isRow, quantile} from './mixture.js';
import {normal} from './normal.js';
import {isShapeSpace} from './shapes.js';

const MASK = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;
const MOST_NUMBERS = 4096; // of a latent
const BOUND = 1e6; // beyond which no block ends

// A block's numbers, and those of joint ones behind it, from random ones below 2^24.
const DRAWN = {
  uniform: ({low, high}, numbers) => numbers.map((number) => low + (number / 2 ** 24) * (high - low)),
  normal: (_, numbers) => numbers.map((number) => normal((number + 0.5) / 2 ** 24)),
  mixture: ({mixture}, numbers) => quantile(mixture, numbers.map((number) => (number + 0.5) / 2 ** 24)),
};

function mixed(x) {
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

/** Latent `index` of a seed: Float32Array of `latent.size`. */
export function draw(latent, seed, index = 0) {
  const start = mixed((BigInt(seed) + GOLDEN) & MASK);
  const first = BigInt(index) * BigInt(latent.size) + 1n;
  const number = (j) => Number(mixed((start + (first + BigInt(j)) * GOLDEN) & MASK) >> 40n); // below 2^24
  const z = [];
  for (const together of drawnTogether(latent.blocks)) {
    const numbers = Array.from({length: sizeOf(together)}, (_, j) => number(z.length + j));
    z.push(...DRAWN[together[0].distribution](together[0], numbers));
  }
  return inside(latent, z);
}

/** A block, and the joint ones behind it, which have the further numbers of its mixture. */
function drawnTogether(blocks) {
  const found = [];
  for (const block of blocks) {
    if (block.distribution === 'joint' && found.length > 0) found.at(-1).push(block);
    else found.push([block]);
  }
  return found;
}

const sizeOf = (blocks) => blocks.reduce((sum, block) => sum + block.size, 0);

/** A latent whose numbers are moved towards the middle of their block, to the share of their distance from it that
 * `truncation` has by its name; in single precision, as everywhere. */
export function truncated(latent, z, truncation) {
  const {fround} = Math;
  let j = 0;
  const numbers = Array.from(z);
  for (const {name, size, distribution, low, high} of latent.blocks) {
    const share = fround(truncation[name] ?? 1);
    const middle = fround(distribution === 'uniform' ? (low + high) / 2 : Math.min(Math.max(0, low), high));
    for (const end = j + size; j < end; j++) {
      if (share !== 1) numbers[j] = fround(middle + fround(fround(numbers[j] - middle) * share));
    }
  }
  return inside(latent, numbers);
}

/** A share `t` of the way from one latent to another, then `amounts[i]` along `directions[i]`, inside of the bounds. */
export function moved(latent, z, toZ, t, directions, amounts) {
  return inside(latent, Array.from(z, (from, j) => {
    let x = from * (1 - t) + toZ[j] * t;
    directions.forEach((direction, i) => { x += amounts[i] * direction[j]; });
    return x;
  }));
}

/** The numbers of a latent, each brought inside of the bounds of its block. */
export function inside(latent, numbers) {
  const z = new Float32Array(latent.size);
  let j = 0;
  for (const {size, low, high} of latent.blocks) {
    for (const end = j + size; j < end; j++) z[j] = Math.min(high, Math.max(low, numbers[j]));
  }
  return z;
}

/** Throws an Error with a sentence for latents that cannot be drawn. */
export function check(latent) {
  const blocks = Array.isArray(latent?.blocks) ? latent.blocks : [];
  for (const block of blocks) {
    if ([...Object.keys(DRAWN), 'joint'].includes(block?.distribution)) continue;
    throw new Error(`Latents are drawn from ${block?.distribution}, which this page cannot; make it again.`);
  }
  const size = sizeOf(blocks);
  const good = blocks.every(isBlock) && size > 0 && size <= MOST_NUMBERS && size === latent.size;
  if (!(good && drawnTogether(blocks).every(isDrawable))) {
    throw new Error('web.json has latents that cannot be drawn; make the page again.');
  }
}

/** Throws an Error with a sentence for what does not say which faces are clean. */
export function checkClean(clean) {
  const shares = Object.values(clean?.truncation ?? [null]);
  if (![...shares, clean?.min_confidence].every((share) => typeof share === 'number' && share >= 0 && share <= 1)) {
    throw new Error('web.json does not say which faces are shown first; make the page again.');
  }
}

function isBlock({size, low, high, shapes}) {
  return Number.isInteger(size) && size > 0 && isRow([low, high], 2, BOUND) && low < high
    && (shapes === undefined || isShapeSpace(shapes, size));
}

/** Can a block, and the joint ones behind it, be drawn? */
function isDrawable(together) {
  const [{distribution, mixture}, ...joint] = together;
  if (distribution === 'mixture') return isMixture(mixture, sizeOf(together)) && joint.every((block) => block.mixture === undefined);
  return distribution !== 'joint' && mixture === undefined && joint.length === 0;
}
