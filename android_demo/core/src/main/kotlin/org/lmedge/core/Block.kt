package org.lmedge.core

import org.json.JSONObject

/**
 * Numbers of a latent that belong together: uniform in [low]..[high], or [normal] (mean 0, deviation 1) or of a [mixture] and
 * cut off there. A [joint] block has the further numbers of the mixture of the one before it. They ask for the landmarks of
 * [shapes], where there are any.
 */
class Block(
    val name: String,
    val size: Int,
    val normal: Boolean,
    val low: Double,
    val high: Double,
    val mixture: Mixture? = null,
    val shapes: ShapeSpace? = null,
    val joint: Boolean = false,
) {
    /** The number that about half of the draws lie below. */
    val middle: Float = (if (normal || joint || mixture != null) 0.0.coerceIn(low, high) else (low + high) / 2).toFloat()

    /** Its numbers, and those of joint blocks behind it, from random ones below 2^24; they are not cut off yet. */
    fun drawn(numbers: LongArray): DoubleArray {
        val shares = DoubleArray(numbers.size) { (numbers[it] + (if (normal || mixture != null) 0.5 else 0.0)) / (1 shl 24) }
        return mixture?.quantile(shares)
            ?: DoubleArray(numbers.size) { if (normal) Normal.quantile(shares[it]) else low + shares[it] * (high - low) }
    }

    fun inside(number: Double): Float = number.coerceIn(low, high).toFloat()

    companion object {
        private const val BOUND = 1e6 // beyond which no block ends

        /**
         * As bundle.json has it, with [joint] numbers that are drawn with its own. Throws BundleException for one that cannot be
         * drawn, JSONException for other forms.
         */
        fun read(about: JSONObject, joint: Int = 0): Block {
            val distribution = about.getString("distribution")
            if (distribution !in listOf("uniform", "normal", "mixture", "joint")) {
                throw BundleException("${Bundle.FILE} draws latents from $distribution, which this app cannot; take a newer app.")
            }
            val size = about.getInt("size")
            val (low, high) = listOf("low", "high").map(about::getDouble)
            if (size !in 1..LatentSpec.MOST_NUMBERS || !(low < high) || !doubleArrayOf(low, high).within(BOUND)) throw undrawable()
            if (about.has("mixture") != (distribution == "mixture")) throw undrawable()
            fun <T> part(name: String, size: Int, read: (JSONObject, Int) -> T?): T? =
                if (about.has(name)) read(about.getJSONObject(name), size) ?: throw undrawable() else null
            return Block(
                about.getString("name"), size, distribution == "normal", low, high,
                part("mixture", size + joint, Mixture::read), part("shapes", size, ShapeSpace::read), distribution == "joint",
            )
        }
    }
}

internal fun undrawable() = BundleException("${Bundle.FILE} has latents that cannot be drawn; export the run again.")
