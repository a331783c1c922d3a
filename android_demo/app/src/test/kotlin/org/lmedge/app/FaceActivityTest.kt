package org.lmedge.app

import android.content.Intent
import android.graphics.BitmapFactory
import android.net.Uri
import android.view.View
import android.widget.Button
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.lmedge.core.Bundle
import org.lmedge.core.Face
import org.lmedge.core.Placement
import org.lmedge.core.Vectors
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

class FaceActivityTest : OnPhone() {
    private val wanted: JSONObject = Vectors.all.getJSONObject("shown").getJSONObject("bundle") // of seed 7, fp32
    private val green = 0xff00e05a.toInt()

    @Before
    fun nothingWasDrawnYet() = TestApp.threadsOfInference.clear()

    @After
    fun inferenceWasNeverOnTheMainThread() = TestApp.threadsOfInference.forEach { assertEquals("faces", it) }

    @Test
    fun itDrawsTheFaceOfThePythonRuntime() {
        val screen = Screen(seed = 7)
        screen.find<Switch>(R.id.landmarks).isChecked = false
        assertShown(wanted, screen)
        assertEquals(setOf("faces"), TestApp.threadsOfInference)
    }

    @Test
    fun cleanFacesAreShownFirstAndAllOfThemOnRequest() {
        val screen = Screen(seed = 7, bundle = "clean")
        screen.find<Switch>(R.id.landmarks).isChecked = false
        val switch = screen.find<Switch>(R.id.clean)
        assertEquals(View.VISIBLE, switch.visibility)
        assertShown(Vectors.all.getJSONObject("shown").getJSONObject("clean"), screen)
        screen.untilDrawn { switch.isChecked = false }
        assertShown(Vectors.all.getJSONObject("faces").getJSONArray("fp32").getJSONObject(0), screen)
    }

    private fun assertShown(face: JSONObject, screen: Screen) {
        val levels = Vectors.bytes(face.getString("image"))
        val drawn = screen.faceAt(64)
        for (i in drawn.indices) for (channel in 0..2) {
            val level = drawn[i] shr (16 - 8 * channel) and 0xff
            assertEquals((levels[3 * i + channel].toInt() and 0xff).toFloat(), level.toFloat(), 1f)
        }
    }

    @Test
    fun landmarksLieWhereThePythonRuntimeFindsThem() {
        val screen = Screen(seed = 7)
        val points = Vectors.floats(wanted.getJSONArray("landmarks"))
        val sure = Vectors.floats(wanted.getJSONArray("pointConfidence"))
        val drawn = screen.faceAt(SIZE)
        for (i in points.indices step 2) {
            val pixel = drawn[(points[i + 1] * SIZE).toInt() * SIZE + (points[i] * SIZE).toInt()]
            if (sure[i / 2] > 0.51f) assertEquals(green, pixel) // others let the face through
            val (red, greenest, blue) = listOf(16, 8, 0).map { pixel shr it and 0xff }
            assertTrue("point ${i / 2}", greenest > red && greenest > blue)
        }
        assertTrue(sure.any { it > 0.51f })
        screen.find<Switch>(R.id.landmarks).isChecked = false
        assertFalse(green in screen.faceAt(SIZE))
    }

    @Test
    fun sixtyEightPointsAreDrawnAsWell() {
        val screen = Screen()
        val points = FloatArray(136) { 0.1f + 0.8f * (if (it % 2 == 0) it / 2 % 10 else it / 20) / 10f }
        screen.face.show(Face(64, 64, ByteArray(3 * 64 * 64), points, null), listOf(intArrayOf(0, 67)), landmarks = true)
        val drawn = screen.faceAt(SIZE)
        val placed = Placement(SIZE.toFloat(), SIZE.toFloat(), 64, 64).points(points)
        for (i in placed.indices step 2) assertEquals(green, drawn[placed[i + 1].toInt() * SIZE + placed[i].toInt()])
    }

    @Test
    fun aTapDrawsAnotherFaceAndSlidersMoveIt() {
        val screen = Screen(bundle = "plain")
        screen.find<Switch>(R.id.landmarks).isChecked = false
        val first = screen.faceAt(64)
        for (slider in screen.sliders) {
            screen.untilDrawn { slider.progress = slider.max }
            assertFalse(slider.contentDescription.toString(), first.contentEquals(screen.faceAt(64)))
            screen.untilDrawn { screen.find<Button>(R.id.reset).performClick() }
            assertArrayEquals(first, screen.faceAt(64))
        }
        assertEquals(listOf("To the next face", "Turn", "Mouth", "Light"), screen.sliders.map { it.contentDescription })
        screen.untilDrawn { screen.sliders[0].progress = screen.sliders[0].max }
        val next = screen.faceAt(64)
        screen.untilDrawn { screen.face.performClick() }
        assertArrayEquals(next, screen.faceAt(64))  // the slider went to the face that the tap draws
        assertEquals(0, screen.sliders[0].progress)
        assertTrue(screen.status, Regex("Face 1: [0-9.]+ ms, [0-9]+ faces a second").matches(screen.status))
    }

    @Test
    fun aPointThatIsDraggedTakesTheFaceAlong() {
        val screen = Screen(bundle = "asked")
        assertEquals(View.VISIBLE, screen.find<View>(R.id.hint).visibility)
        assertEquals(8, screen.sliders.size) // four of them for what can be asked for
        val first = screen.faceAt(64)
        val (place, nose) = screen.placement to screen.landmark(NOSE)
        screen.drag(nose, 0.1f * place.width, 0.06f * place.height)
        screen.until { hypot(screen.landmark(NOSE), nose) > 0.04f * place.width }
        val now = screen.landmark(NOSE)
        assertTrue("$nose to $now", now.first > nose.first + 0.04f * place.width && now.second > nose.second + 0.02f * place.height)
        assertTrue(screen.status, screen.status.startsWith("Face 0: ")) // a drag is no tap
        screen.controller.recreate().visible()
        screen.until { screen.status.startsWith("Face 0: ") }
        assertTrue("kept over a rotation", !first.contentEquals(screen.faceAt(64)))
        screen.untilDrawn { screen.find<Button>(R.id.reset).performClick() }
        assertArrayEquals(first, screen.faceAt(64))
        screen.untilDrawn { screen.drag(nose, 0f, 0f) }
        assertTrue(screen.status, screen.status.startsWith("Face 1: ")) // a tap on a point is one
    }

    @Test
    fun onlyPointsThatAreSeenAndCanBeAskedForAreDragged() {
        for ((bundle, shown) in listOf("plain" to true, "asked" to false)) {
            val screen = Screen(bundle = bundle)
            screen.find<Switch>(R.id.landmarks).isChecked = shown
            assertEquals(if (bundle == "asked") View.VISIBLE else View.GONE, screen.find<View>(R.id.hint).visibility)
            screen.untilDrawn { screen.drag(screen.landmark(NOSE), 40f, 40f) }
            assertTrue(screen.status, screen.status.startsWith("Face 1: "))
            screen.controller.pause().stop().destroy()
        }
    }

    private fun hypot(a: Pair<Float, Float>, b: Pair<Float, Float>) = kotlin.math.hypot(a.first - b.first, a.second - b.second)

    @Test
    fun everyModelDrawsAndItsPaceIsItsOwn() {
        val screen = Screen()
        val models = screen.find<Spinner>(R.id.variant)
        assertEquals(listOf("fp32", "int8-qat", "int8"), List(models.count) { models.getItemAtPosition(it) })
        for (name in listOf("int8", "int8-qat", "fp32")) {
            screen.untilDrawn { screen.choose(R.id.variant, name) }
            assertTrue(screen.status, screen.status.startsWith("Face 0: "))
        }
    }

    @Test
    fun aRotationKeepsEverything() {
        val screen = Screen(seed = 3)
        screen.untilDrawn { screen.choose(R.id.variant, "int8") }
        screen.untilDrawn { screen.sliders[1].progress = 160 }
        screen.find<Switch>(R.id.landmarks).isChecked = false
        val (face, upright) = screen.faceAt(64) to screen.activity
        RuntimeEnvironment.setQualifiers("+land")
        screen.controller.recreate().visible()
        screen.until { screen.status.startsWith("Face 3: ") }
        assertNotSame(upright, screen.activity)
        assertTrue(screen.face.width < screen.activity.window.decorView.width) // the layout for a screen that lies
        assertArrayEquals(face, screen.faceAt(64))
        assertEquals(160, screen.sliders[1].progress)
        assertEquals("int8", screen.find<Spinner>(R.id.variant).selectedItem)
    }

    @Test
    fun aFaceIsSharedAsAPictureWithItsPoints() {
        val screen = Screen(seed = 7)
        screen.find<Button>(R.id.share).performClick()
        val chooser = shadowOf(screen.activity).nextStartedActivity
        val sent = chooser.getParcelableExtra(Intent.EXTRA_INTENT) as Intent
        assertNotEquals(0, sent.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION)
        val (picture, points) = sent.getParcelableArrayListExtra<Uri>(Intent.EXTRA_STREAM)!!
        assertEquals("content://org.lmedge.app.files/face-7.png", picture.toString())
        val resolver = screen.activity.contentResolver
        val bitmap = resolver.openInputStream(picture)!!.use { BitmapFactory.decodeStream(it) }
        val pixels = IntArray(64 * 64).also { bitmap.getPixels(it, 0, 64, 0, 0, 64, 64) }
        screen.find<Switch>(R.id.landmarks).isChecked = false
        assertArrayEquals(screen.faceAt(64), pixels)
        val lines = resolver.openInputStream(points)!!.use { it.readBytes().toString(Charsets.UTF_8).lines() }
        val first = Vectors.floats(wanted.getJSONArray("landmarks"))
        assertEquals(listOf("version: 1", "n_points: 49", "{"), lines.take(3))
        assertEquals(first[0] * 64 + 0.5f, lines[3].split(" ")[0].toFloat(), 2e-3f)
        assertEquals(listOf("image/png", "text/plain"), listOf(picture, points).map { resolver.getType(it) })
    }

    @Test
    fun otherFilesAreNotShared() {
        val screen = Screen()
        for (name in listOf("nothing.png", "..%2Fsecret", "../secret")) {
            val uri = Uri.parse("content://org.lmedge.app.files/$name")
            assertThrows(java.io.FileNotFoundException::class.java) { screen.activity.contentResolver.openInputStream(uri) }
        }
    }

    @Test
    fun whatCannotBeUsedIsSaidAndNothingCrashes() {
        val sentences = mapOf(
            "none" to "The app has no bundle; build it with -Pbundle=PATH of a bundle.",
            "schema" to "bundle.json has schema 1, this app reads 2; export the run again.",
            "damaged" to "bundle.json is damaged",
            "latents" to "The model has latents of [1, ${Bundle.read(Vectors.bundleText).latent.size}] and bundle.json says [1, 32]; copy the whole bundle again.",
            "points" to "The model has landmarks of [1, 49, 2] and bundle.json says [1, 68, 2]; copy the whole bundle again.",
            "truncated" to "faces-fp32.tflite has 1000 bytes and should have ${Vectors.modelBytes("fp32")}; build the app again.",
            "nonsense" to "The model cannot be loaded",
            "lost" to "faces-fp32.tflite is not among the app's files, or compressed; build the app again.",
            "int8-io" to "The bundle has none of fp32, fp16, dynamic, int8-qat, int8; export the run again.",
        )
        for ((folder, sentence) in sentences) {
            val screen = Screen(bundle = folder)
            assertTrue("$folder: ${screen.status}", screen.status.startsWith(sentence))
            assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, screen.find<TextView>(R.id.status).accessibilityLiveRegion)
            assertFalse(screen.find<Button>(R.id.share).isEnabled)
            screen.face.performClick()
            screen.controller.pause().stop().destroy()
        }
    }

    @Test
    fun everythingThatCanBeTouchedHasANameAndIsLargeEnough() {
        val shown = Screen(bundle = "plain").let { Screen.all(it.activity.window.decorView) }.filter { it.isShown }
        val touched = shown.filter { it.isClickable || it is android.widget.SeekBar }
        assertEquals(10, touched.size)
        for (view in touched) {
            val name = view.contentDescription ?: (view as? TextView)?.text
            assertFalse("$view", name.isNullOrBlank())
            assertTrue("$name is ${view.width} x ${view.height}", minOf(view.width, view.height) >= 48 * 2) // 48 dp of xhdpi
        }
    }

    @Test
    fun noTextIsCutInLargeFonts() {
        RuntimeEnvironment.setFontScale(2f)
        val texts = Screen(bundle = "asked").let { Screen.all(it.activity.window.decorView) }.filterIsInstance<TextView>().filter { it.isShown }
        assertTrue(texts.size > 16)
        for (text in texts) {
            val needed = text.layout.height + text.compoundPaddingTop + text.compoundPaddingBottom
            assertTrue("\"${text.text}\" needs $needed and has ${text.height}", text.height >= needed)
            assertEquals(0, (0 until text.layout.lineCount).sumOf { text.layout.getEllipsisCount(it) })
        }
    }

    private companion object {
        const val SIZE = 640
        const val NOSE = 13 // its tip
    }
}
