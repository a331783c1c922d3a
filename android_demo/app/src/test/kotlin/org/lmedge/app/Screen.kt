package org.lmedge.app

import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Build
import android.os.Bundle as State
import android.os.Looper
import android.view.MotionEvent
import android.view.View
import android.view.ViewGroup
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.TextView
import java.util.concurrent.TimeUnit
import org.junit.Assert.fail
import org.junit.runner.RunWith
import org.lmedge.core.Placement
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.util.ReflectionHelpers

/** A test on a phone of 360 x 720 dp with Android 14, which draws by its own graphics library. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApp::class, qualifiers = "w360dp-h720dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
abstract class OnPhone

/** The app's screen on the JVM, with a bundle among the assets. */
class Screen(seed: Long = 0, bundle: String = "bundle") {
    val controller = Robolectric.buildActivity(FaceActivity::class.java)
    val activity: FaceActivity get() = controller.get()
    val face: FaceView get() = find(R.id.face)
    val status get() = (find(R.id.status) as TextView).text.toString()
    val sliders get() = all(activity.window.decorView).filterIsInstance<SeekBar>()

    init {
        TestApp.chosen = bundle
        ReflectionHelpers.setStaticField(Build::class.java, "SUPPORTED_ABIS", arrayOf("x86_64")) // what the tests run on
        controller.create(State().apply { putLong("seed", seed) }).start().postCreate(null).resume().visible()
        until { status != activity.getString(R.string.loading) }
    }

    @Suppress("UNCHECKED_CAST")
    fun <T : View> find(id: Int) = activity.findViewById(id) as T

    /** Waits for what the worker does on its own thread. */
    fun until(done: () -> Boolean) {
        val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20)
        while (true) {
            shadowOf(Looper.getMainLooper()).idle()
            if (done()) return
            if (System.nanoTime() > end) fail("after 20 seconds the screen says: $status")
            Thread.sleep(2)
        }
    }

    /** Does something, and waits for the face that it gives. */
    fun untilDrawn(change: () -> Unit) {
        val undrawn = "…"
        face.contentDescription = undrawn
        change()
        until { face.contentDescription != undrawn }
    }

    fun choose(id: Int, name: String) = find<Spinner>(id).run {
        setSelection((0 until count).first { getItemAtPosition(it) == name })
    }

    /** Where the face lies in its view. */
    val placement get() = Placement(face.width.toFloat(), face.height.toFloat(), 64, 64)

    /** Where a landmark lies in the face's view. */
    fun landmark(i: Int) = face.points[2 * i] to face.points[2 * i + 1]

    /** A finger on the face's view, from a place on by so many pixels. */
    fun drag(from: Pair<Float, Float>, x: Float, y: Float) {
        val steps = (0..4).map { MotionEvent.ACTION_MOVE to it / 4f }
        for ((action, share) in listOf(MotionEvent.ACTION_DOWN to 0f) + steps + listOf(MotionEvent.ACTION_UP to 1f)) {
            val event = MotionEvent.obtain(0, 0, action, from.first + share * x, from.second + share * y, 0)
            face.dispatchTouchEvent(event)
            event.recycle()
        }
    }

    /** What the face's view draws at a size: ARGB, row by row. */
    fun faceAt(size: Int): IntArray {
        val (view, bitmap) = face to Bitmap.createBitmap(size, size, Bitmap.Config.ARGB_8888)
        val (right, bottom) = view.right to view.bottom
        view.layout(0, 0, size, size)
        view.draw(Canvas(bitmap))
        view.layout(0, 0, right, bottom)
        return IntArray(size * size).also { bitmap.getPixels(it, 0, size, 0, 0, size, size) }
    }

    /** The whole screen. */
    fun picture(): Bitmap {
        val view = activity.window.decorView
        return Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888).also { view.draw(Canvas(it)) }
    }

    companion object {
        fun all(view: View): List<View> =
            listOf(view) + if (view is ViewGroup) (0 until view.childCount).flatMap { all(view.getChildAt(it)) } else emptyList()
    }
}
