// Seeded latents, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as in lmedge/runtime/latents.py.
const MASK = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;

function mixed(x) {
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return x ^ (x >> 31n);
}

/** Latent `index` of a seed: Float32Array of `size`, uniform in -1..1. */
export function prior(size, seed, index = 0) {
  const start = mixed((BigInt(seed) + GOLDEN) & MASK);
  const z = new Float32Array(size);
  for (let j = 0; j < size; j++) {
    const counter = BigInt(index * size + j + 1);
    z[j] = Number(mixed((start + counter * GOLDEN) & MASK) >> 40n) / 2 ** 23 - 1;
  }
  return z;
}

/** A share `t` of the way from one latent to another, then `amounts[i]` along `directions[i]`, inside of the prior's cube. */
export function moved(z, toZ, t, directions, amounts) {
  return z.map((value, j) => {
    let x = value * (1 - t) + toZ[j] * t;
    directions.forEach((direction, i) => { x += amounts[i] * direction[j]; });
    return Math.min(1, Math.max(-1, x));
  });
}
