package org.lmedge.core

import java.util.Locale

/**
 * A face: [image] holds `height * width * 3` levels, RGB, row by row; [landmarks] x and y of each point, normalised:
 * `(x + 0.5) / width`; [confidence], and [pointConfidence] of each point, are 0..1, and null where the model gives none.
 */
class Face(
    val width: Int,
    val height: Int,
    val image: ByteArray,
    val landmarks: FloatArray,
    val confidence: Float?,
    val pointConfidence: FloatArray? = null,
) {
    /** The pixels as Android's ARGB integers. */
    fun pixels(): IntArray = IntArray(width * height) { i ->
        val (r, g, b) = List(3) { image[3 * i + it].toInt() and 0xff }
        (0xff shl 24) or (r shl 16) or (g shl 8) or b
    }

    /** A 300-W .pts file: pixels of the face, (1, 1) the centre of the first one. */
    fun pts(): String = buildString {
        append("version: 1\nn_points: ${landmarks.size / 2}\n{\n")
        for (i in landmarks.indices step 2) {
            append(String.format(Locale.ROOT, "%.3f %.3f\n", landmarks[i] * width + 0.5f, landmarks[i + 1] * height + 0.5f))
        }
        append("}\n")
    }
}

/** Where the face lies in a view, in its pixels: as large as fits, in the middle. */
class Placement(viewWidth: Float, viewHeight: Float, faceWidth: Int, faceHeight: Int) {
    val scale = minOf(viewWidth / faceWidth, viewHeight / faceHeight)
    val width = faceWidth * scale
    val height = faceHeight * scale
    val left = (viewWidth - width) / 2
    val top = (viewHeight - height) / 2

    /** x and y in the view of each normalised landmark. */
    fun points(landmarks: FloatArray) =
        FloatArray(landmarks.size) { if (it % 2 == 0) left + landmarks[it] * width else top + landmarks[it] * height }
}
