package org.lmedge.core

import org.json.JSONObject

/**
 * What is shown first, faces that a person would call clean: by name of a block of the latent the share of their distance
 * from its middle that numbers are drawn at, and how sure the model has to be of the landmarks. Without these all that it draws.
 */
class Clean(val truncation: Map<String, Float> = emptyMap(), val minConfidence: Float = 0f) {
    /** Does it leave nothing out? */
    val isAll = minConfidence == 0f && truncation.values.all { it == 1f }

    companion object {
        /** As bundle.json has it. Throws BundleException for shares that are none, JSONException for other forms. */
        fun read(about: JSONObject): Clean {
            val shares = about.getJSONObject("truncation")
            val clean = Clean(
                shares.keys().asSequence().associateWith { shares.getDouble(it).toFloat() },
                about.getDouble("min_confidence").toFloat(),
            )
            if (clean.truncation.values.any { it !in 0f..1f } || clean.minConfidence !in 0f..1f) {
                throw BundleException("${Bundle.FILE} does not say which faces are shown first; export the run again.")
            }
            return clean
        }
    }
}
