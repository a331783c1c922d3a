package org.lmedge.app

import android.os.Build
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test
import org.lmedge.core.Vectors
import org.lmedge.readme.drawFace
import org.robolectric.RuntimeEnvironment
import org.robolectric.util.ReflectionHelpers

/** The function of the README, which scripts/check_android takes from there. */
class ReadmeTest : OnPhone() {
    @Test
    fun itsFaceIsThatOfThePythonRuntime() {
        assumeTrue("android" in System.getProperty("runtimes")!!)
        ReflectionHelpers.setStaticField(Build::class.java, "SUPPORTED_ABIS", arrayOf("x86_64"))
        val drawn = drawFace(RuntimeEnvironment.getApplication(), seed = 7)
        val wanted = Vectors.bytes(Vectors.all.getJSONObject("shown").getJSONObject("bundle").getString("image"))
        assertEquals(wanted.size, drawn.width * drawn.height * 3)
        for (i in wanted.indices) {
            val pixel = drawn.getPixel(i / 3 % drawn.width, i / 3 / drawn.width)
            val level = pixel shr 8 * (2 - i % 3) and 0xff
            assertTrue("level $i", abs(level - (wanted[i].toInt() and 0xff)) <= 1)
        }
    }
}
