package org.lmedge.core

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class BundleTest {
    private fun changed(change: (JSONObject) -> Unit) = JSONObject(Vectors.bundleText).also(change).toString()

    private fun refusal(text: String) = assertThrows(BundleException::class.java) { Bundle.read(text) }.message!!

    @Test
    fun theReferenceBundleIsRead() {
        val bundle = Bundle.read(Vectors.bundleText)
        val size = JSONObject(Vectors.bundleText).getJSONObject("latent").getInt("size")
        assertEquals(listOf(size, 64, 64, 49), listOf(bundle.latent.size, bundle.width, bundle.height, bundle.names.size))
        assertEquals("right_brow_0", bundle.names[0])
        assertEquals(listOf("Turn", "Mouth", "Light"), bundle.controls.take(3).map { it.name })
        assertEquals("faces-int8-qat.tflite", bundle.variants.single { it.name == "int8-qat" }.file)
        assertTrue(bundle.licence.contains("non-commercial"))
    }

    @Test
    fun landmarksOfAnotherSchemeAreReadToo() {
        val bundle = Bundle.read(changed { about ->
            about.getJSONObject("landmarks").put("names", List(68) { "point_$it" }).put("curves", listOf(listOf(0, 16, 67)))
        })
        assertEquals(68, bundle.names.size)
        assertEquals(67, bundle.curves.single()[2])
    }

    @Test
    fun anOlderBundleHasNoControls() = assertEquals(0, Bundle.read(changed { it.remove("controls") }).controls.size)

    @Test
    fun whatIsShownFirstIsReadAndAnOlderBundleShowsAll() {
        assertTrue(Bundle.read(changed { it.remove("clean") }).clean.isAll)
        fun said(truncation: Double, least: Any) =
            changed { it.put("clean", JSONObject(mapOf("truncation" to JSONObject(mapOf("z" to truncation)), "min_confidence" to least))) }
        val clean = Bundle.read(said(0.7, 0.2)).clean
        assertEquals(mapOf("z" to 0.7f) to 0.2f, clean.truncation to clean.minConfidence)
        for (wrong in listOf(said(1.5, 0.2), said(-0.1, 0.2), said(0.7, 2))) {
            assertEquals("bundle.json does not say which faces are shown first; export the run again.", refusal(wrong))
        }
        assertTrue(refusal(said(0.7, "much")).startsWith("bundle.json is damaged"))
        assertTrue(refusal(changed { it.put("clean", 3) }).startsWith("bundle.json is damaged"))
    }

    @Test
    fun anotherSchemaIsRefused() =
        assertEquals("bundle.json has schema 1, this app reads 2; export the run again.", refusal(changed { it.put("schema", 1) }))

    @Test
    fun aDamagedFileIsRefused() {
        for (text in listOf("", "nonsense", "[1]", Vectors.bundleText.substring(0, 3000), changed { it.remove("latent") })) {
            val said = refusal(text)
            assertTrue(said, said.startsWith("bundle.json is damaged") || said.contains("has schema"))
        }
    }

    @Test
    fun aModelOutsideOfTheBundleIsRefused() {
        val said = refusal(changed { it.getJSONObject("variants").getJSONObject("fp32").put("file", "../fp32.tflite") })
        assertEquals("bundle.json names ../fp32.tflite, which is not a file of the bundle.", said)
    }

    @Test
    fun controlsAndCurvesThatDoNotFitAreRefused() {
        val other = changed { about ->
            val block = mapOf("name" to "z", "size" to 32, "distribution" to "uniform", "low" to -1, "high" to 1)
            about.put("latent", JSONObject(mapOf("size" to 32, "blocks" to listOf(block))))
        }
        assertTrue(refusal(other).contains("is not for latents of 32"))
        assertTrue(refusal(changed { it.getJSONObject("landmarks").put("curves", listOf(listOf(0, 49))) }).contains("points that there are not"))
        assertEquals("bundle.json lists no model; export the run again.", refusal(changed { it.put("variants", JSONObject()) }))
    }

    @Test
    fun anAmountIsSaidWithAsManyDigitsAsItHasUse() {
        fun said(amount: Float, high: Float) = Control("Turn", "degrees", FloatArray(0), -high, high).said(amount)
        assertEquals(listOf("Turn: +11 degrees", "Turn: 0 degrees"), listOf(said(10.7f, 21f), said(-0.3f, 21f)))
        assertEquals(listOf("Turn: -1.2 degrees", "Turn: +0.04 degrees"), listOf(said(-1.2f, 3f), said(0.04f, 0.05f)))
        assertEquals(-6f, Control("Turn", "degrees", FloatArray(0), -10f, 10f).at(0.2f), 1e-6f)
    }

    @Test
    fun theBestModelForTheProcessorComesFirst() {
        val every = listOf("fp32", "fp16", "dynamic", "int8", "int8-io", "int8-qat").associateWith { mapOf("file" to it, "bytes" to 1) }
        val bundle = Bundle.read(changed { it.put("variants", JSONObject(every)) })
        assertEquals(listOf("int8-qat", "int8", "fp32", "fp16", "dynamic"), bundle.variantsFor("arm64-v8a").map { it.name })
        assertEquals(listOf("fp32", "fp16", "dynamic", "int8-qat", "int8"), bundle.variantsFor("x86_64").map { it.name })
        val io = Bundle.read(changed { it.put("variants", JSONObject(mapOf("int8-io" to JSONObject(mapOf("file" to "a", "bytes" to 1))))) })
        val said = assertThrows(BundleException::class.java) { io.variantsFor("x86") }.message
        assertEquals("The bundle has none of fp32, fp16, dynamic, int8-qat, int8; export the run again.", said)
    }
}
