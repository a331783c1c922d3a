package org.lmedge.core

import org.json.JSONObject

/** Numbers of a latent that belong together: uniform in [low]..[high], or [normal] (mean 0, deviation 1) and cut off there. */
class Block(val name: String, val size: Int, val normal: Boolean, val low: Double, val high: Double) {
    /** The block's number from a random one below 2^24. */
    fun drawn(number: Long): Float =
        inside(if (normal) Normal.quantile((number + 0.5) / (1 shl 24)) else low + number.toDouble() / (1 shl 24) * (high - low))

    fun inside(number: Double): Float = number.coerceIn(low, high).toFloat()
}

/**
 * What a latent is, and the latents of a seed, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as
 * `lmedge.latent` draws them.
 */
class LatentSpec(val blocks: List<Block>) {
    val size = blocks.sumOf { it.size }
    private val of: List<Block> = blocks.flatMap { block -> List(block.size) { block } } // of each component

    /** Latent [index] of a [seed]: [size] components. */
    fun draw(seed: Long, index: Long = 0): FloatArray {
        val start = mixed(seed + GOLDEN)
        return FloatArray(size) { j -> of[j].drawn(mixed(start + (index * size + j + 1) * GOLDEN) ushr 40) }
    }

    /**
     * A [share] of the way from one latent to another, then `amounts[i]` along the direction of `controls[i]`, inside of
     * the bounds.
     */
    fun moved(from: FloatArray, to: FloatArray, share: Float, controls: List<Control>, amounts: List<Float>): FloatArray {
        require(from.size == size && to.size == size && controls.size == amounts.size)
        return FloatArray(size) { j ->
            var x = from[j] * (1 - share) + to[j] * share
            for (i in controls.indices) x += amounts[i] * controls[i].direction[j]
            of[j].inside(x.toDouble())
        }
    }

    companion object {
        // 0x9E3779B97F4A7C15 and the factors of the mix, as signed numbers: Long arithmetic wraps just as unsigned does.
        private const val GOLDEN = -7046029254386353131L
        private const val FIRST = -4658895280553007687L
        private const val SECOND = -7723592293110705685L

        private const val MOST_NUMBERS = 4096 // of a latent

        /** As bundle.json has it. Throws BundleException for latents that cannot be drawn, JSONException for other forms. */
        fun read(about: JSONObject): LatentSpec {
            val blocks = about.getJSONArray("blocks").objects().map(::block)
            val drawable = blocks.size <= MOST_NUMBERS && blocks.all { it.size in 1..MOST_NUMBERS && it.low < it.high }
            val size = about.getInt("size")
            if (!drawable || size !in 1..MOST_NUMBERS || blocks.sumOf { it.size } != size) {
                throw BundleException("${Bundle.FILE} has latents that cannot be drawn; export the run again.")
            }
            return LatentSpec(blocks)
        }

        private fun block(about: JSONObject): Block {
            val distribution = about.getString("distribution")
            if (distribution != "uniform" && distribution != "normal") {
                throw BundleException("${Bundle.FILE} draws latents from $distribution, which this app cannot; take a newer app.")
            }
            val (low, high) = listOf("low", "high").map(about::getDouble)
            return Block(about.getString("name"), about.getInt("size"), distribution == "normal", low, high)
        }

        private fun mixed(number: Long): Long {
            var x = (number xor (number ushr 30)) * FIRST
            x = (x xor (x ushr 27)) * SECOND
            return x xor (x ushr 31)
        }
    }
}
