package org.lmedge.core

/**
 * Seeded latents, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as `lmedge.runtime.prior` draws them.
 */
object Latents {
    // 0x9E3779B97F4A7C15 and the factors of the mix, as signed numbers: Long arithmetic wraps just as unsigned does.
    private const val GOLDEN = -7046029254386353131L
    private const val FIRST = -4658895280553007687L
    private const val SECOND = -7723592293110705685L

    private fun mixed(number: Long): Long {
        var x = (number xor (number ushr 30)) * FIRST
        x = (x xor (x ushr 27)) * SECOND
        return x xor (x ushr 31)
    }

    /** Latent [index] of a [seed]: [size] components, uniform in -1..1. */
    fun prior(size: Int, seed: Long, index: Long = 0): FloatArray {
        val start = mixed(seed + GOLDEN)
        return FloatArray(size) { j ->
            val counter = index * size + j + 1
            (mixed(start + counter * GOLDEN) ushr 40).toFloat() / (1 shl 23) - 1f
        }
    }

    /**
     * A [share] of the way from one latent to another, then `amounts[i]` along the direction of `controls[i]`, inside of
     * the cube that the prior fills.
     */
    fun moved(from: FloatArray, to: FloatArray, share: Float, controls: List<Control>, amounts: List<Float>): FloatArray {
        require(from.size == to.size && controls.size == amounts.size)
        return FloatArray(from.size) { j ->
            var x = from[j] * (1 - share) + to[j] * share
            for (i in controls.indices) x += amounts[i] * controls[i].direction[j]
            x.coerceIn(-1f, 1f)
        }
    }
}
