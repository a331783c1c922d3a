package org.lmedge.core

import org.json.JSONObject

/**
 * What a latent is, and the latents of a seed, the same on every platform: SplitMix64 (Steele, Lea, Flood 2014), as
 * `lmedge.latent` draws them.
 */
class LatentSpec(val blocks: List<Block>) {
    val size = blocks.sumOf { it.size }
    private val of: List<Block> = blocks.flatMap { block -> List(block.size) { block } } // of each component

    /** What is drawn together: a block, and how many numbers it and the joint ones behind it have. */
    private val together: List<Pair<Block, Int>> = blocks.indices.filter { !blocks[it].joint }
        .map { i -> blocks[i] to blocks[i].size + blocks.drop(i + 1).takeWhile { it.joint }.sumOf { it.size } }

    /** The landmarks that can be asked for; null where none can. */
    val shapes: ShapeSpace? = blocks.firstNotNullOfOrNull { it.shapes }

    /** Latent [index] of a [seed]: [size] components. */
    fun draw(seed: Long, index: Long = 0): FloatArray {
        val start = mixed(seed + GOLDEN)
        var next = index * size
        val numbers = together.map { (first, count) -> first.drawn(LongArray(count) { mixed(start + ++next * GOLDEN) ushr 40 }) }
            .reduce(DoubleArray::plus)
        return FloatArray(size) { j -> of[j].inside(numbers[j]) }
    }

    /**
     * A latent [z] whose numbers are moved towards the middle of their block, to the share of their distance from it that
     * [truncation] has by its name.
     */
    fun truncated(z: FloatArray, truncation: Map<String, Float>) = FloatArray(size) { j ->
        val share = truncation[of[j].name] ?: 1f
        if (share == 1f) z[j] else of[j].inside((of[j].middle + (z[j] - of[j].middle) * share).toDouble())
    }

    /**
     * A [share] of the way from one latent to another, then `amounts[i]` along the direction of `controls[i]` and by what was
     * [pulled], inside of the bounds.
     */
    fun moved(
        from: FloatArray, to: FloatArray, share: Float, controls: List<Control>, amounts: List<Float>,
        pulled: FloatArray = FloatArray(size),
    ): FloatArray {
        require(from.size == size && to.size == size && controls.size == amounts.size && pulled.size == size)
        return FloatArray(size) { j ->
            var x = from[j] * (1 - share) + to[j] * share
            for (i in controls.indices) x += amounts[i] * controls[i].direction[j]
            of[j].inside((x + pulled[j]).toDouble())
        }
    }

    /** How far a latent [z] is moved for one of its landmarks to go by ([x], [y]), shares of the face; it stays inside. */
    fun pull(z: FloatArray, point: Int, x: Float, y: Float): FloatArray {
        val steps = shapes?.pull(point, x, y) ?: FloatArray(0)
        val first = blocks.takeWhile { it.shapes == null }.sumOf { it.size }
        return FloatArray(size) { j -> of[j].inside((z[j] + (steps.getOrNull(j - first) ?: 0f)).toDouble()) - z[j] }
    }

    companion object {
        // 0x9E3779B97F4A7C15 and the factors of the mix, as signed numbers: Long arithmetic wraps just as unsigned does.
        private const val GOLDEN = -7046029254386353131L
        private const val FIRST = -4658895280553007687L
        private const val SECOND = -7723592293110705685L

        internal const val MOST_NUMBERS = 4096 // of a latent

        /** As bundle.json has it. Throws BundleException for latents that cannot be drawn, JSONException for other forms. */
        fun read(about: JSONObject): LatentSpec {
            val parts = about.getJSONArray("blocks").objects()
            val joint = parts.map { if (it.getString("distribution") == "joint") it.getInt("size") else 0 }
            val blocks = parts.mapIndexed { i, part -> Block.read(part, joint.drop(i + 1).takeWhile { it > 0 }.sum()) }
            val size = about.getInt("size")
            if (size !in 1..MOST_NUMBERS || blocks.size > size || blocks.sumOf { it.size } != size) throw undrawable()
            // A joint block has the numbers of a mixture before it.
            if (blocks.indices.any { i -> blocks[i].joint && blocks.take(i).lastOrNull { !it.joint }?.mixture == null }) {
                throw undrawable()
            }
            return LatentSpec(blocks)
        }

        private fun mixed(number: Long): Long {
            var x = (number xor (number ushr 30)) * FIRST
            x = (x xor (x ushr 27)) * SECOND
            return x xor (x ushr 31)
        }
    }
}
