package org.lmedge.core

import java.util.Locale
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** What cannot be used, with a sentence for who holds the phone. */
class BundleException(message: String) : Exception(message)

/** Something about a face that a latent is moved along [direction] for: `amount * direction` adds about `amount` of [unit]. */
class Control(val name: String, val unit: String, val direction: FloatArray, val low: Float, val high: Float) {
    /** The amount at a [share] of the way from [low] to [high]. */
    fun at(share: Float) = low + share * (high - low)

    /** An amount for people: "Turn: +12 degrees". */
    fun said(amount: Float): String {
        val digits = if (high >= 10) 0 else if (high >= 1) 1 else 2
        val number = String.format(Locale.ROOT, "%+.${digits}f", amount)
        return "$name: ${if (number.any { it in '1'..'9' }) number else "0"} $unit"
    }
}

/** A model file of a bundle. */
data class Variant(val name: String, val file: String, val bytes: Long)

/** What bundle.json says. Points are in the order of [names]; [curves] are lines through them. */
class Bundle(
    val name: String,
    val licence: String,
    val latent: LatentSpec,
    val width: Int,
    val height: Int,
    val names: List<String>,
    val curves: List<IntArray>,
    val controls: List<Control>,
    val variants: List<Variant>,
    val clean: Clean = Clean(),
) {
    /**
     * The models that take latents of float32, the best for a processor first. TensorFlow Lite's library for x86, which
     * emulators have, draws int8 many times slower than float32.
     */
    fun variantsFor(abi: String): List<Variant> {
        val order = if (abi.startsWith("x86")) FLOAT + INT8 else INT8 + FLOAT
        return order.mapNotNull { name -> variants.find { it.name == name } }
            .ifEmpty { throw BundleException("The bundle has none of ${order.joinToString()}; export the run again.") }
    }

    companion object {
        private val INT8 = listOf("int8-qat", "int8")
        private val FLOAT = listOf("fp32", "fp16", "dynamic")
        const val SCHEMA = 2
        const val FILE = "bundle.json"

        /** Reads bundle.json. Throws BundleException for another schema, or a file that was damaged. */
        fun read(text: String): Bundle {
            try {
                return read(JSONObject(text))
            } catch (error: JSONException) {
                throw BundleException("$FILE is damaged (${error.message}); copy the bundle again.")
            }
        }

        private fun read(about: JSONObject): Bundle {
            val schema = about.opt("schema")
            if (schema != SCHEMA) throw BundleException("$FILE has schema $schema, this app reads $SCHEMA; export the run again.")
            val latent = LatentSpec.read(about.getJSONObject("latent"))
            val image = about.getJSONObject("image")
            val landmarks = about.getJSONObject("landmarks")
            val names = landmarks.getJSONArray("names").strings()
            val curves = landmarks.getJSONArray("curves").arrays().map { curve -> IntArray(curve.length()) { curve.getInt(it) } }
            if (curves.any { curve -> curve.any { it !in names.indices } }) {
                throw BundleException("$FILE draws lines through points that there are not; export the run again.")
            }
            val files = about.getJSONObject("variants")
            val variants = files.keys().asSequence().toList().map { name ->
                val entry = files.getJSONObject(name)
                Variant(name, entry.getString("file"), entry.getLong("bytes"))
            }
            if (variants.isEmpty()) throw BundleException("$FILE lists no model; export the run again.")
            // A name is a file beside bundle.json, never a path.
            variants.firstOrNull { '/' in it.file || it.file.startsWith(".") }?.let {
                throw BundleException("$FILE names ${it.file}, which is not a file of the bundle.")
            }
            return Bundle(
                about.optString("name", "faces"),
                about.optJSONObject("training")?.optString("licence") ?: "not stated",
                latent, image.getInt("width"), image.getInt("height"), names, curves,
                controls(about.optJSONArray("controls"), latent.size), variants,
                if (about.has("clean")) Clean.read(about.getJSONObject("clean")) else Clean(),
            )
        }

        /** An older bundle has none. */
        private fun controls(entries: JSONArray?, latentSize: Int): List<Control> =
            (entries ?: JSONArray()).objects().map { entry ->
                val numbers = entry.getJSONArray("direction")
                if (numbers.length() != latentSize) {
                    throw BundleException("${entry.getString("name")} in $FILE is not for latents of $latentSize; export the run again.")
                }
                val direction = FloatArray(latentSize) { numbers.getDouble(it).toFloat() }
                Control(
                    entry.getString("name"), entry.getString("unit"), direction,
                    entry.getDouble("low").toFloat(), entry.getDouble("high").toFloat(),
                )
            }
    }
}

private fun JSONArray.strings() = List(length()) { getString(it) }
internal fun JSONArray.objects() = List(length()) { getJSONObject(it) }
internal fun JSONArray.arrays() = List(length()) { getJSONArray(it) }
internal fun JSONArray.numbers() = DoubleArray(length()) { getDouble(it) }
