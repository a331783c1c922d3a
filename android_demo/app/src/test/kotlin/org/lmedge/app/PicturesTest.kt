package org.lmedge.app

import android.graphics.Bitmap
import android.graphics.Color
import java.io.File
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** Screens as people would see them; kept in the folder of the system property `pictures`. */
class PicturesTest : OnPhone() {
    /** Lightness of the background, 0 to 1: of the corner at the bottom right. */
    private fun kept(screen: Screen, name: String): Float {
        val picture = screen.picture()
        File(System.getProperty("pictures"), "$name.png").outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return Color.luminance(picture.getPixel(picture.width - 3, picture.height - 3))
    }

    @Test
    fun portrait() {
        val screen = Screen(seed = 5)
        screen.untilDrawn { screen.sliders[1].progress = 150 }
        assertTrue(kept(screen, "portrait") > 0.8f)
    }

    @Test
    fun theThemeAtNightIsDark() {
        RuntimeEnvironment.setQualifiers("+night")
        assertTrue(kept(Screen(seed = 7), "dark") < 0.2f)
    }

    @Test
    fun landscape() {
        RuntimeEnvironment.setQualifiers("+land")
        assertTrue(kept(Screen(seed = 20), "landscape") > 0.8f)
    }

    @Test
    fun largeFonts() {
        RuntimeEnvironment.setFontScale(2f)
        assertTrue(kept(Screen(seed = 7), "large") > 0.8f)
    }

    @Test
    fun aSentenceForABrokenModel() {
        assertTrue(kept(Screen(bundle = "truncated"), "broken") > 0.8f)
    }
}
