package org.lmedge.core

import kotlin.math.abs
import org.json.JSONObject

/**
 * A mixture of normal distributions, as in `lmedge.mixture`: [weights] of its parts, their [means], and of each the factor of
 * its covariance, the lower half, row by row.
 */
class Mixture(val weights: DoubleArray, val means: List<DoubleArray>, val factors: List<DoubleArray>) {
    /**
     * A draw from evenly spread numbers 0..1: the first chooses the part, and what is left of it is spread again. Sums go from
     * left to right, so that the bits are those of Python.
     */
    fun quantile(shares: DoubleArray): DoubleArray {
        var part = 0
        var begins = 0.0
        var ends = weights[0]
        while (part < weights.size - 1 && shares[0] >= ends) {
            begins = ends
            ends += weights[++part]
        }
        val normals = DoubleArray(shares.size) { j ->
            val share = if (j == 0) (shares[0] - begins) / weights[part] else shares[j]
            Normal.quantile(share.coerceIn(SMALLEST_SHARE, 1 - SMALLEST_SHARE))
        }
        var next = 0
        return DoubleArray(shares.size) { i ->
            var sum = means[part][i]
            for (j in 0..i) sum += factors[part][next++] * normals[j]
            sum
        }
    }

    companion object {
        private const val SMALLEST_SHARE = 1.0 / (1 shl 25) // that a normal number is drawn of
        private const val MOST_PARTS = 64
        private const val LARGEST = 1e6

        /** As bundle.json has it; null where [size] numbers cannot be drawn from it. Throws JSONException for other forms. */
        fun read(about: JSONObject, size: Int): Mixture? {
            val weights = about.getJSONArray("weights").numbers()
            val (means, factors) = listOf("means", "factors").map { name -> about.getJSONArray(name).arrays().map { it.numbers() } }
            val good = weights.size in 1..MOST_PARTS && weights.all { it > 0 } && abs(weights.sum() - 1) <= 1e-6 &&
                listOf(means to size, factors to size * (size + 1) / 2).all { (rows, length) ->
                    rows.size == weights.size && rows.all { it.size == length && it.within(LARGEST) }
                } && (means + factors).any { row -> row.any { it != 0.0 } } // else it draws one number only
            return if (good) Mixture(weights, means, factors) else null
        }
    }
}

internal fun DoubleArray.within(largest: Double) = all { abs(it) <= largest }
