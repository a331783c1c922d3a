package org.lmedge.engine

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized
import org.lmedge.core.Bundle
import org.lmedge.core.BundleException
import org.lmedge.core.Pace
import org.lmedge.core.Vectors

/** With each runtime of the system property `runtimes`. */
@RunWith(Parameterized::class)
class FaceEngineTest(private val name: String) {
    private val runtime = RUNTIMES.getValue(name)
    private val bundle = Bundle.read(Vectors.bundleText)
    private val size = bundle.latent.size

    private fun model(variant: String) = File(Vectors.bundle, bundle.variants.single { it.name == variant }.file).readBytes()

    private fun refusal(model: ByteArray, of: Bundle = bundle) =
        assertThrows(BundleException::class.java) { FaceEngine(runtime(model), of).close() }.message!!

    private fun changed(change: (JSONObject) -> Unit) = Bundle.read(JSONObject(Vectors.bundleText).also(change).toString())

    /** Largest difference of a level and of a landmark from the Python runtime. */
    private fun difference(variant: String): Pair<Int, Float> = FaceEngine(runtime(model(variant)), bundle).use { engine ->
        var (level, landmark) = 0 to 0f
        val pace = Pace()
        val faces = Vectors.all.getJSONObject("faces").getJSONArray(variant)
        assertEquals(4, faces.length())
        for (i in 0 until faces.length()) {
            val wanted = faces.getJSONObject(i)
            val z = bundle.latent.draw(7, i.toLong())
            val face = engine.render(z)
            repeat(3) {
                val start = System.nanoTime()
                engine.render(z)
                pace.add((System.nanoTime() - start) / 1e6)
            }
            val levels = Vectors.bytes(wanted.getString("image"))
            assertEquals(levels.size, face.image.size)
            level = maxOf(level, levels.indices.maxOf { abs((levels[it].toInt() and 0xff) - (face.image[it].toInt() and 0xff)) })
            val points = Vectors.floats(wanted.getJSONArray("landmarks"))
            landmark = maxOf(landmark, points.indices.maxOf { abs(points[it] - face.landmarks[it]) })
            assertEquals(wanted.getDouble("confidence").toFloat(), face.confidence!!, if (variant == "fp32") 1e-5f else 0.1f)
        }
        println("$name, $variant: %.1f ms a face here, one thread; $level levels, %.0e from Python".format(pace.median, landmark))
        level to landmark
    }

    @Test
    fun floatFacesAreThoseOfThePythonRuntime() {
        val (level, landmark) = difference("fp32")
        assertTrue("$level levels, $landmark", level <= 1 && landmark <= 1e-5f)
    }

    @Test
    fun int8FacesAreWithinTheLevelsOfTheDeviceTable() {
        for (variant in listOf("int8", "int8-qat")) {
            val (level, landmark) = difference(variant)
            assertTrue("$variant: $level levels, $landmark", level <= 64 && landmark <= 5e-3f)
        }
    }

    @Test
    fun aLatentOfAnotherLengthIsRefused() = FaceEngine(runtime(model("fp32")), bundle).use { engine ->
        val said = assertThrows(BundleException::class.java) { engine.render(FloatArray(3)) }.message
        assertEquals("A latent of 3 numbers is not one of $size, as this model takes.", said)
    }

    @Test
    fun aModelWithAnotherLatentSizeIsRefused() {
        val other = changed { about ->
            val latent = about.getJSONObject("latent").put("size", size - 8)
            val block = latent.getJSONArray("blocks").getJSONObject(0)
            block.put("size", block.getInt("size") - 8)
            about.remove("controls")
        }
        assertEquals(
            "The model has latents of [1, $size] and bundle.json says [1, ${size - 8}]; copy the whole bundle again.",
            refusal(model("fp32"), other),
        )
    }

    @Test
    fun aModelWithOtherLandmarksIsRefused() {
        val other = changed { it.getJSONObject("landmarks").put("names", List(68) { i -> "point_$i" }) }
        assertTrue(refusal(model("fp32"), other).startsWith("The model has landmarks of [1, 49, 2] and bundle.json says [1, 68, 2]"))
    }

    @Test
    fun aModelWithInt8LatentsIsRefused() {
        val ofTheStudent = File(Vectors.bundle, "../student/faces-int8-io.tflite").readBytes()
        assertEquals("The model takes INT8 latents; take int8-qat, int8 or fp32.", refusal(ofTheStudent))
    }

    @Test
    fun aModelThatIsNoModelIsRefused() {
        val said = refusal(ByteArray(100))
        assertTrue(said, Regex("The model cannot be loaded( \\(.+\\))?; copy the bundle again\\.").matches(said))
    }

    @Test
    fun facesOfAnotherSchemeAndSizeAreDrawnAsWell() {
        val other = changed { about ->
            about.put("image", JSONObject("""{"width": 4, "height": 2}""")).remove("controls")
            about.getJSONObject("landmarks").put("names", List(68) { "point_$it" }).put("curves", listOf(listOf(0, 67)))
        }
        val face = FaceEngine(Small(), other).render(FloatArray(size))
        assertEquals(listOf(4, 2, 136, null, null), listOf(face.width, face.height, face.landmarks.size, face.confidence, face.pointConfidence))
        assertEquals(listOf(0f, 135 / 136f), listOf(face.landmarks.first(), face.landmarks.last()))
        assertEquals(0xff151617.toInt(), face.pixels().last())

        val sure = FaceEngine(Small(68), other).render(FloatArray(size)).pointConfidence!!
        assertEquals(listOf(68, 0f, 67 / 68f), listOf(sure.size, sure.first(), sure.last()))
        val said = assertThrows(BundleException::class.java) { FaceEngine(Small(67), other) }.message!!
        assertTrue(said, said.startsWith("The model has confidences of points of [1, 67] and bundle.json says [1, 68]"))
    }

    /** A model of 4 x 2 pixels and 68 points; it says how sure it is of [sure] points, if of any. */
    private inner class Small(private val sure: Int? = null) : ModelRuntime {
        override val inputs = mapOf("z" to TensorFacts("FLOAT32", listOf(1, size)))
        override val outputs = mapOf("image" to TensorFacts("UINT8", listOf(1, 2, 4, 3)), "landmarks" to TensorFacts("FLOAT32", listOf(1, 68, 2))) +
            listOfNotNull(sure).associate { "point_confidence" to TensorFacts("FLOAT32", listOf(1, it)) }

        override fun run(z: FloatArray, outputs: Map<String, ByteBuffer>) {
            assertEquals(this.outputs.keys, outputs.keys)
            for (level in 0 until 24) outputs.getValue("image").put(level.toByte())
            for (i in 0 until 136) outputs.getValue("landmarks").putFloat(i / 136f)
            for (i in 0 until (sure ?: 0)) outputs.getValue("point_confidence").putFloat(i / 68f)
        }

        override fun close() = Unit
    }

    companion object {
        private val RUNTIMES = mapOf<String, (ByteArray) -> ModelRuntime>(
            "desktop" to ::DesktopRuntime,
            // What the app has: the library of the APK for x86-64, where it was made to load here.
            "android" to { TfliteRuntime(ByteBuffer.allocateDirect(it.size).order(ByteOrder.nativeOrder()).put(it), threads = 1) },
        )

        @JvmStatic
        @Parameterized.Parameters(name = "{0}")
        fun runtimes() = System.getProperty("runtimes")!!.split(",")
    }
}
