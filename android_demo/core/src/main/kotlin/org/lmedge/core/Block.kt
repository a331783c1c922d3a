package org.lmedge.core

import org.json.JSONObject

/**
 * Numbers of a latent that belong together: uniform in [low]..[high], or [normal] (mean 0, deviation 1) or of a [mixture] and
 * cut off there. They ask for the landmarks of [shapes], where there are any.
 */
class Block(
    val name: String,
    val size: Int,
    val normal: Boolean,
    val low: Double,
    val high: Double,
    val mixture: Mixture? = null,
    val shapes: ShapeSpace? = null,
) {
    /** The number that about half of the draws lie below. */
    val middle: Float = (if (normal || mixture != null) 0.0.coerceIn(low, high) else (low + high) / 2).toFloat()

    /** The block's numbers from random ones below 2^24. */
    fun drawn(numbers: LongArray): FloatArray {
        val shares = DoubleArray(size) { (numbers[it] + (if (normal || mixture != null) 0.5 else 0.0)) / (1 shl 24) }
        val z = mixture?.quantile(shares)
        return FloatArray(size) { j ->
            inside(z?.get(j) ?: if (normal) Normal.quantile(shares[j]) else low + shares[j] * (high - low))
        }
    }

    fun inside(number: Double): Float = number.coerceIn(low, high).toFloat()

    companion object {
        private const val BOUND = 1e6 // beyond which no block ends

        /** As bundle.json has it. Throws BundleException for one that cannot be drawn, JSONException for other forms. */
        fun read(about: JSONObject): Block {
            val distribution = about.getString("distribution")
            if (distribution !in listOf("uniform", "normal", "mixture")) {
                throw BundleException("${Bundle.FILE} draws latents from $distribution, which this app cannot; take a newer app.")
            }
            val size = about.getInt("size")
            val (low, high) = listOf("low", "high").map(about::getDouble)
            if (size !in 1..LatentSpec.MOST_NUMBERS || !(low < high) || !doubleArrayOf(low, high).within(BOUND)) throw undrawable()
            if (about.has("mixture") != (distribution == "mixture")) throw undrawable()
            fun <T> part(name: String, read: (JSONObject, Int) -> T?): T? =
                if (about.has(name)) read(about.getJSONObject(name), size) ?: throw undrawable() else null
            return Block(
                about.getString("name"), size, distribution == "normal", low, high,
                part("mixture", Mixture::read), part("shapes", ShapeSpace::read),
            )
        }
    }
}

internal fun undrawable() = BundleException("${Bundle.FILE} has latents that cannot be drawn; export the run again.")
