package org.lmedge.core

import java.io.File
import java.util.Base64
import org.json.JSONArray
import org.json.JSONObject

/** What the Python runtime gives, written by scripts/check_android into the folder of the system property `vectors`. */
object Vectors {
    val folder = File(System.getProperty("vectors") ?: error("run scripts/check_android"))
    val all = JSONObject(File(folder, "vectors.json").readText())
    val bundle = File(System.getProperty("bundle") ?: error("run scripts/check_android"))
    val bundleText get() = File(bundle, Bundle.FILE).readText()

    /** Of a model of the bundle, as bundle.json says. */
    fun modelBytes(variant: String) = JSONObject(bundleText).getJSONObject("variants").getJSONObject(variant).getInt("bytes")

    fun floats(array: JSONArray) = FloatArray(array.length()) { array.getDouble(it).toFloat() }

    fun bytes(text: String): ByteArray = Base64.getDecoder().decode(text)
}
