package org.lmedge.app

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.RectF
import android.util.AttributeSet
import android.view.View
import org.lmedge.core.Face
import org.lmedge.core.Placement

/** A face, as large as fits, with its landmarks and the curves through them. */
class FaceView(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    private val smooth = Paint(Paint.FILTER_BITMAP_FLAG)
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0xb0ffffff.toInt() }
    private val dot = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0xff00e05a.toInt() }
    private var face: Face? = null
    private var bitmap: Bitmap? = null
    private var curves: List<IntArray> = emptyList()
    private var landmarks = true

    /** Shows another face; [curves] are those of its bundle. */
    fun show(face: Face, curves: List<IntArray>, landmarks: Boolean) {
        this.face = face
        this.curves = curves
        this.landmarks = landmarks
        bitmap = Bitmap.createBitmap(face.pixels(), face.width, face.height, Bitmap.Config.ARGB_8888)
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        val face = face ?: return
        val place = Placement(width.toFloat(), height.toFloat(), face.width, face.height)
        val frame = RectF(place.left, place.top, place.left + place.width, place.top + place.height)
        canvas.drawBitmap(bitmap ?: return, null, frame, smooth)
        if (!landmarks) return
        val points = place.points(face.landmarks)
        val unit = resources.displayMetrics.density
        line.strokeWidth = unit
        for (curve in curves) {
            for ((from, to) in curve.toList().zipWithNext()) {
                canvas.drawLine(points[2 * from], points[2 * from + 1], points[2 * to], points[2 * to + 1], line)
            }
        }
        for (i in points.indices step 2) canvas.drawCircle(points[i], points[i + 1], 2 * unit, dot)
    }
}
