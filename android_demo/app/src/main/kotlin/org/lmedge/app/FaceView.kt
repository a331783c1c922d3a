package org.lmedge.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import android.view.ViewConfiguration
import kotlin.math.hypot
import org.lmedge.core.Face
import org.lmedge.core.Placement

/** A face, as large as fits, with its landmarks and the curves through them. A landmark can be [taken] and dragged. */
class FaceView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val smooth = Paint(Paint.FILTER_BITMAP_FLAG)
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0xb0ffffff.toInt() }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0xff00e05a.toInt() }
    private var face: Face? = null
    private var bitmap: Bitmap? = null
    private var curves: List<IntArray> = emptyList()
    private var landmarks = true
    private var drag: Drag? = null

    /** For a point that is dragged, what is called with how far it has gone since, shares of the face; null: none can be. */
    var taken: ((Int) -> (Float, Float) -> Unit)? = null

    /** x and y of each landmark in the view, in pixels. */
    val points: FloatArray get() = face?.let { place(it).points(it.landmarks) } ?: FloatArray(0)

    /** Shows another face; [curves] are those of its bundle. */
    fun show(face: Face, curves: List<IntArray>, landmarks: Boolean) {
        this.face = face
        this.curves = curves
        this.landmarks = landmarks
        bitmap = Bitmap.createBitmap(face.pixels(), face.width, face.height, Bitmap.Config.ARGB_8888)
        invalidate()
    }

    /** A drag is no click, and a tap on a point is one. */
    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (event.actionMasked == MotionEvent.ACTION_DOWN) drag = drag(event)
        val drag = drag ?: return super.onTouchEvent(event)
        val (x, y) = event.x - drag.x to event.y - drag.y
        if (!drag.went && hypot(x, y) > ViewConfiguration.get(context).scaledTouchSlop) {
            drag.went = true
            val cancel = MotionEvent.obtain(event).apply { action = MotionEvent.ACTION_CANCEL }
            super.onTouchEvent(cancel)
            cancel.recycle()
        }
        if (event.actionMasked in listOf(MotionEvent.ACTION_UP, MotionEvent.ACTION_CANCEL)) this.drag = null
        if (!drag.went) return super.onTouchEvent(event)
        drag.move(x / drag.place.width, y / drag.place.height)
        return true
    }

    private fun drag(event: MotionEvent): Drag? {
        val (face, taken) = Pair(face ?: return null, taken ?: return null)
        if (!landmarks) return null
        val points = points
        val far = { i: Int -> hypot(points[2 * i] - event.x, points[2 * i + 1] - event.y) }
        val point = (0 until points.size / 2).minByOrNull(far) ?: return null
        return if (far(point) > REACH * resources.displayMetrics.density) null else Drag(event.x, event.y, place(face), taken(point))
    }

    private class Drag(val x: Float, val y: Float, val place: Placement, val move: (Float, Float) -> Unit, var went: Boolean = false)

    private fun place(face: Face) = Placement(width.toFloat(), height.toFloat(), face.width, face.height)

    override fun onDraw(canvas: Canvas) {
        val face = face ?: return
        val place = place(face)
        val frame = RectF(place.left, place.top, place.left + place.width, place.top + place.height)
        canvas.drawBitmap(bitmap ?: return, null, frame, smooth)
        if (!landmarks) return
        val points = points
        val unit = resources.displayMetrics.density
        line.strokeWidth = unit
        for (curve in curves) {
            for ((from, to) in curve.toList().zipWithNext()) {
                canvas.drawLine(points[2 * from], points[2 * from + 1], points[2 * to], points[2 * to + 1], line)
            }
        }
        for (i in points.indices step 2) {
            val sure = face.pointConfidence?.get(i / 2) ?: 1f
            dot.alpha = (255 * (FAINTEST + (1 - FAINTEST) * minOf(1f, 2 * sure))).toInt()
            canvas.drawCircle(points[i], points[i + 1], 2 * unit, dot)
        }
    }

    private companion object {
        const val REACH = 24 // dp from a point, within which it is taken
        const val FAINTEST = 0.25f // opacity of a point of no confidence; one of half of it, and more, is opaque
    }
}
