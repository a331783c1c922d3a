package org.lmedge.app

import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.lmedge.core.Vectors
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The screen on the framework of Android 7.0, the oldest one that the app is for. It has no graphics here: nothing is drawn. */
@Config(sdk = [24])
@GraphicsMode(GraphicsMode.Mode.LEGACY)
class OldestAndroidTest : OnPhone() {
    @Test
    fun facesAreMadeMovedAndShared() {
        val screen = Screen(seed = 2)
        assertTrue(screen.status, screen.status.startsWith("Face 2: "))
        screen.untilDrawn { screen.face.performClick() }
        assertTrue(screen.status, screen.status.startsWith("Face 3: "))
        screen.untilDrawn { screen.sliders[1].progress = 10 }
        screen.untilDrawn { screen.choose(R.id.variant, "int8-qat") }
        assertEquals("int8-qat", screen.find<Spinner>(R.id.variant).selectedItem)
        screen.find<Button>(R.id.share).performClick()
        assertNotNull(shadowOf(screen.activity).nextStartedActivity)
        screen.controller.recreate().visible()
        screen.until { screen.status.startsWith("Face 3: ") }
        assertEquals(10, screen.sliders[1].progress)
    }

    @Test
    fun aBrokenModelIsASentence() {
        val said = Screen(bundle = "truncated").find<TextView>(R.id.status).text
        assertEquals("faces-fp32.tflite has 1000 bytes and should have ${Vectors.modelBytes("fp32")}; build the app again.", said)
    }
}
