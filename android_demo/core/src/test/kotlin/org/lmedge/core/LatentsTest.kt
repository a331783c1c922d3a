package org.lmedge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class LatentsTest {
    @Test
    fun latentsAreThoseOfThePythonRuntime() {
        val latents = Vectors.all.getJSONArray("latents")
        assertEquals(6, latents.length())
        for (i in 0 until latents.length()) {
            val one = latents.getJSONObject(i)
            val wanted = Vectors.floats(one.getJSONArray("z"))
            assertArrayEquals(wanted, Latents.prior(wanted.size, one.getLong("seed"), one.getLong("index")), 0f)
        }
    }

    @Test
    fun aMoveGoesBetweenAndAlongAndStaysInTheCube() {
        val control = Control("Turn", "degrees", floatArrayOf(0.1f, -0.2f, 1f), -10f, 10f)
        val found = Latents.moved(floatArrayOf(0f, 0.5f, 0f), floatArrayOf(1f, 0.5f, 0f), 0.25f, listOf(control), listOf(2f))
        assertArrayEquals(floatArrayOf(0.45f, 0.1f, 1f), found, 1e-6f)
    }
}
