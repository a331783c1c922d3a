// Latents of a seed, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as in lmedge/latent.py. What a
// latent is, its blocks of numbers in their order, is said as in bundle.json.
const MASK = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;

function mixed(x) {
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

/** Latent `index` of a seed: Float32Array of `latent.size`. */
export function draw(latent, seed, index = 0) {
  const start = mixed((BigInt(seed) + GOLDEN) & MASK);
  const first = BigInt(index) * BigInt(latent.size) + 1n;
  return byBlock(latent, (block, j) => {
    const number = Number(mixed((start + (first + BigInt(j)) * GOLDEN) & MASK) >> 40n); // below 2^24
    if (block.distribution === 'normal') return normal((number + 0.5) / 2 ** 24);
    if (block.distribution === 'uniform') return block.low + (number / 2 ** 24) * (block.high - block.low);
    throw new Error(`Latents are drawn from ${block.distribution}, which this page cannot; make it again.`);
  });
}

/** A share `t` of the way from one latent to another, then `amounts[i]` along `directions[i]`, inside of the bounds. */
export function moved(latent, z, toZ, t, directions, amounts) {
  return byBlock(latent, (block, j) => {
    let x = z[j] * (1 - t) + toZ[j] * t;
    directions.forEach((direction, i) => { x += amounts[i] * direction[j]; });
    return x;
  });
}

/** `number(block, j)` for each component j, inside of its bounds. */
function byBlock(latent, number) {
  const z = new Float32Array(latent.size);
  let j = 0;
  for (const block of latent.blocks) {
    for (const end = j + block.size; j < end; j++) z[j] = Math.min(block.high, Math.max(block.low, number(block, j)));
  }
  return z;
}

// The number below which a share p of the normal distribution lies, by P. J. Acklam (2003), as in lmedge/quantiles.py.
const MIDDLE = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
const MIDDLE_BELOW = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
const TAIL = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
const TAIL_BELOW = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
const WHERE_TAILS_BEGIN = 0.02425;

function normal(p) {
  const at = (polynomial, x) => polynomial.reduce((sum, factor) => sum * x + factor, 0);
  const tail = Math.min(p, 1 - p);
  if (tail < WHERE_TAILS_BEGIN) {
    const q = Math.sqrt(-2 * Math.log(tail));
    const outside = at(TAIL, q) / at(TAIL_BELOW, q);
    return p < 0.5 ? outside : -outside;
  }
  const r = p - 0.5;
  return (r * at(MIDDLE, r * r)) / at(MIDDLE_BELOW, r * r);
}
