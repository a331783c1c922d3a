package org.lmedge.core

import kotlin.math.ln
import kotlin.math.min
import kotlin.math.sqrt

/** Quantiles of the normal distribution, by P. J. Acklam (2003), as in `lmedge.quantiles`. */
internal object Normal {
    private val MIDDLE = doubleArrayOf(
        -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.3577518672690, -30.66479806614716, 2.506628277459239,
    )
    private val MIDDLE_BELOW = doubleArrayOf(
        -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1.0,
    )
    private val TAIL = doubleArrayOf(
        -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783,
    )
    private val TAIL_BELOW = doubleArrayOf(0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0)
    private const val WHERE_TAILS_BEGIN = 0.02425

    /** The number below which a share [p] (inside of 0..1) of the normal distribution lies. */
    fun quantile(p: Double): Double {
        val tail = min(p, 1 - p)
        if (tail < WHERE_TAILS_BEGIN) {
            val q = sqrt(-2 * ln(tail))
            val outside = at(TAIL, q) / at(TAIL_BELOW, q)
            return if (p < 0.5) outside else -outside
        }
        val r = p - 0.5
        return r * at(MIDDLE, r * r) / at(MIDDLE_BELOW, r * r)
    }

    private fun at(polynomial: DoubleArray, x: Double) = polynomial.fold(0.0) { sum, factor -> sum * x + factor }
}
