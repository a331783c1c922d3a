package org.lmedge.core

import kotlin.math.abs
import kotlin.math.sqrt
import org.json.JSONObject

/**
 * The landmarks that a block of a latent asks for, as in `lmedge.shapes`: [axes] along which faces differ, one for each of the
 * block's numbers, each with x and y of every point, normalised; [points] there are.
 */
class ShapeSpace(val points: Int, val axes: List<DoubleArray>) {
    /**
     * What to add to the block's numbers so that a [point] goes by ([x], [y]), shares of the face: of all moves that do that
     * the shortest, so the likeliest one, as each axis is the same number of deviations long.
     */
    fun pull(point: Int, x: Float, y: Float): FloatArray {
        val along = axes.map { it[2 * point] to it[2 * point + 1] }
        val xx = along.sumOf { (a, _) -> a * a }
        val xy = along.sumOf { (a, b) -> a * b }
        val yy = along.sumOf { (_, b) -> b * b }
        val damping = DAMPING * (xx + yy)
        val determinant = (xx + damping) * (yy + damping) - xy * xy
        if (determinant <= 0) return FloatArray(axes.size) // no axis moves it
        val u = ((yy + damping) * x - xy * y) / determinant
        val v = ((xx + damping) * y - xy * x) / determinant
        return FloatArray(axes.size) { (u * along[it].first + v * along[it].second).toFloat() }
    }

    companion object {
        private const val DAMPING = 1e-3 // of how far the axes move a point, against those that hardly do
        private const val SLANT = 1e-3 // cosine between two axes, which are at right angles, that rounding leaves at most
        private const val MOST_POINTS = 4096
        private const val LARGEST = 1e3

        /** As bundle.json has it; null where [size] numbers do not ask for landmarks by it. Throws JSONException for other forms. */
        fun read(about: JSONObject, size: Int): ShapeSpace? {
            val mean = about.getJSONArray("mean").numbers()
            val axes = about.getJSONArray("axes").arrays().map { it.numbers() }
            val good = mean.size % 2 == 0 && mean.size / 2 in 1..MOST_POINTS && mean.within(LARGEST) && axes.size == size &&
                axes.all { axis -> axis.size == mean.size && axis.within(LARGEST) && axis.any { it != 0.0 } } &&
                axes.indices.all { i -> (0 until i).all { abs(cosine(axes[i], axes[it])) <= SLANT } }
            return if (good) ShapeSpace(mean.size / 2, axes) else null
        }

        private fun cosine(a: DoubleArray, b: DoubleArray) = dot(a, b) / sqrt(dot(a, a) * dot(b, b))

        private fun dot(a: DoubleArray, b: DoubleArray) = a.indices.sumOf { a[it] * b[it] }
    }
}
