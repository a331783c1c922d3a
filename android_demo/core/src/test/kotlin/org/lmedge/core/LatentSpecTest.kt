package org.lmedge.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class LatentSpecTest {
    @Test
    fun latentsAreThoseOfThePythonRuntime() {
        val latents = Vectors.all.getJSONArray("latents")
        assertEquals(12, latents.length())
        for (i in 0 until latents.length()) {
            val one = latents.getJSONObject(i)
            val spec = LatentSpec.read(one.getJSONObject("latent"))
            val wanted = Vectors.floats(one.getJSONArray("z"))
            assertArrayEquals(wanted, spec.draw(one.getLong("seed"), one.getLong("index")), 0f)
        }
    }

    @Test
    fun normalNumbersEndAtTheirBounds() {
        val normal = LatentSpec(listOf(Block("z", 4096, true, -0.5, 1.0))).draw(3)
        assertEquals(listOf(-0.5f, 1f), listOf(normal.min(), normal.max()))
        assertEquals(0.309, normal.count { it == -0.5f } / 4096.0, 0.02) // of a normal distribution
    }

    @Test
    fun aMoveGoesBetweenAndAlongAndStaysInside() {
        val spec = LatentSpec(listOf(Block("a", 2, false, -1.0, 1.0), Block("b", 1, true, -0.5, 0.5)))
        val control = Control("Turn", "degrees", floatArrayOf(0.1f, -0.2f, 1f), -10f, 10f)
        val found = spec.moved(floatArrayOf(0f, 0.5f, 0f), floatArrayOf(1f, 0.5f, 0f), 0.25f, listOf(control), listOf(2f))
        assertArrayEquals(floatArrayOf(0.45f, 0.1f, 0.5f), found, 1e-6f)
    }

    @Test
    fun latentsThatCannotBeDrawnAreRefused() {
        fun spec(name: String, value: Any, size: Int = 8) = JSONObject(mapOf("size" to size, "blocks" to JSONArray(listOf(
            JSONObject(mapOf("name" to "z", "size" to 8, "distribution" to "uniform", "low" to -1, "high" to 1)).put(name, value),
        ))))
        fun refusal(about: JSONObject) = assertThrows(BundleException::class.java) { LatentSpec.read(about) }.message!!
        for (about in listOf(spec("low", 1), spec("size", 0), spec("size", 1 shl 30), spec("name", "z", 9))) {
            assertEquals("bundle.json has latents that cannot be drawn; export the run again.", refusal(about))
        }
        assertTrue(refusal(spec("distribution", "cauchy")).contains("draws latents from cauchy, which this app cannot"))
        assertThrows(JSONException::class.java) { LatentSpec.read(JSONObject("{\"size\": 8}")) }
    }
}
