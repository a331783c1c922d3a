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
        assertEquals(100, latents.length())
        for (i in 0 until latents.length()) {
            val one = latents.getJSONObject(i)
            val spec = LatentSpec.read(one.getJSONObject("latent"))
            val wanted = Vectors.floats(one.getJSONArray("z"))
            assertArrayEquals(wanted, spec.draw(one.getLong("seed"), one.getLong("index")), 0f)
        }
    }

    @Test
    fun truncatedLatentsAreThoseOfThePythonRuntime() {
        val one = Vectors.all.getJSONObject("truncated")
        val spec = LatentSpec.read(one.getJSONObject("latent"))
        val shares = one.getJSONObject("truncation")
        val truncation = shares.keys().asSequence().associateWith { shares.getDouble(it).toFloat() }
        val (drawn, wanted) = listOf("z", "wanted").map(one::getJSONArray).map { rows ->
            List(rows.length()) { Vectors.floats(rows.getJSONArray(it)) }
        }
        assertEquals(5, drawn.size)
        for ((z, moved) in drawn.zip(wanted)) assertArrayEquals(moved, spec.truncated(z, truncation), 0f)
        assertArrayEquals(drawn[0], spec.truncated(drawn[0], emptyMap()), 0f)
    }

    @Test
    fun aLandmarkIsPulledByTheShortestWayAndStaysInside() {
        val pulls = Vectors.all.getJSONArray("pulls")
        assertEquals(6, pulls.length())
        for (i in 0 until pulls.length()) {
            val one = pulls.getJSONObject(i)
            val (z, by) = listOf("z", "by").map { Vectors.floats(one.getJSONArray(it)) }
            val spec = LatentSpec.read(one.getJSONObject("latent"))
            val moved = spec.moved(z, z, 0f, emptyList(), emptyList(), spec.pull(z, one.getInt("point"), by[0], by[1]))
            assertArrayEquals(Vectors.floats(one.getJSONArray("wanted")), moved, 0.01f)
            val others = spec.blocks.takeWhile { it.shapes == null }.sumOf { it.size }
            assertArrayEquals(z.copyOf(others), moved.copyOf(others), 0f)
        }
        val still = ShapeSpace(2, listOf(doubleArrayOf(0.0, 0.0, 0.3, 0.1))) // no axis moves its first point
        assertArrayEquals(FloatArray(1), still.pull(0, 1f, 1f), 0f)
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
        for (about in listOf(spec("low", 1), spec("high", 1e9), spec("size", 0), spec("size", 1 shl 30), spec("name", "z", 9))) {
            assertEquals("bundle.json has latents that cannot be drawn; export the run again.", refusal(about))
        }
        assertTrue(refusal(spec("distribution", "cauchy")).contains("draws latents from cauchy, which this app cannot"))
        assertThrows(JSONException::class.java) { LatentSpec.read(JSONObject("{\"size\": 8}")) }
    }

    @Test
    fun jointBlocksHaveTheFurtherNumbersOfTheMixtureBeforeThem() {
        val whole = """{"size": 2, "blocks": [{"name": "z", "size": 2, "distribution": "mixture", "low": -9, "high": 9,
            "mixture": {"weights": [0.25, 0.75], "means": [[1, 2], [3, 4]], "factors": [[1, 2, 3], [4, 5, 6]]}}]}"""
        val parts = whole.replaceFirst("\"size\": 2, \"distribution\"", "\"size\": 1, \"distribution\"").replaceFirst("}]}",
            "}, {\"name\": \"y\", \"size\": 1, \"distribution\": \"joint\", \"low\": -1, \"high\": 1}]}")
        val (one, two) = listOf(whole, parts).map { LatentSpec.read(JSONObject(it)).draw(3) }
        assertEquals(one[0], two[0], 0f)
        assertEquals(one[1].coerceIn(-1f, 1f), two[1], 0f)
        for ((part, other) in listOf("mixture\", \"low\"" to "joint\", \"low\"", "[1, 2], " to "[1], ", "mixture\": {" to "other\": {")) {
            assertTrue(part, part in parts)
            val about = JSONObject(parts.replaceFirst(part, other))
            assertThrows(part, BundleException::class.java) { LatentSpec.read(about) }
        }
    }

    @Test
    fun mixturesAndShapesThatAreNoneAreRefused() {
        val good = """{"size": 2, "blocks": [{"name": "z", "size": 2, "distribution": "mixture", "low": -1, "high": 1,
            "mixture": {"weights": [0.25, 0.75], "means": [[1, 2], [3, 4]], "factors": [[1, 2, 3], [4, 5, 6]]},
            "shapes": {"mean": [0.1, 0.2, 0.3, 0.4], "axes": [[1, 0, 0, 0], [0, 1, 0, 1]]}}]}"""
        assertEquals(2, LatentSpec.read(JSONObject(good)).shapes!!.points)
        for ((part, other) in listOf(
            "[0.25, 0.75]" to "[]", "[0.25, 0.75]" to "[0.5, 0.6]", "[0.25, 0.75]" to "[1.5, -0.5]", "[1, 2]," to "[1],",
            "[[1, 2], [3, 4]]" to "[[1, 2]]", "[1, 2]," to "[1e999, 2],", "[1, 2, 3]" to "[1, 2, 3, 4]", "[1, 2, 3]" to "[1e7, 2, 3]",
            "[0.1, 0.2, 0.3, 0.4]" to "[0.1, 0.2]", "[0.1, 0.2, 0.3, 0.4]" to "[0.1, 0.2, 0.3]", "[1, 0, 0, 0]" to "[0, 0, 0, 0]",
            "[1, 0, 0, 0], " to "", "[1, 0, 0, 0]" to "[1, 0.1, 0, 0]", "[1, 0, 0, 0]" to "[1e4, 0, 0, 0]", "\"mixture\", " to "\"normal\", ", "\"mixture\": {" to "\"other\": {",
        )) {
            assertTrue(part, part in good)
            val about = JSONObject(good.replaceFirst(part, other))
            val refused = assertThrows(part, BundleException::class.java) { LatentSpec.read(about) }
            assertEquals("bundle.json has latents that cannot be drawn; export the run again.", refused.message)
        }
        for ((part, other) in listOf("[0.25, 0.75]" to "3", "[0.25, 0.75]" to "[true, 0]", "[[1, 2], [3, 4]]" to "[1, 2]")) {
            assertThrows(JSONException::class.java) { LatentSpec.read(JSONObject(good.replaceFirst(part, other))) }
        }
    }
}
