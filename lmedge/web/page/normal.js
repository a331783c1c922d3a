// Quantiles of the normal distribution, by P. J. Acklam (2003), as in lmedge/quantiles.py.
const MIDDLE = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
const MIDDLE_BELOW = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
const TAIL = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
const TAIL_BELOW = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
const WHERE_TAILS_BEGIN = 0.02425;

/** The number below which a share p (inside of 0..1) of the normal distribution lies. */
export function normal(p) {
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
