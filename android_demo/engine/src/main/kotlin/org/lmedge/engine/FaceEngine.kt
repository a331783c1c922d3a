package org.lmedge.engine

import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.lmedge.core.Bundle
import org.lmedge.core.BundleException
import org.lmedge.core.Clean
import org.lmedge.core.Face

/**
 * Draws the faces of latents with a model of a [bundle]. Not thread-safe: one thread at a time. Throws BundleException
 * for a model that is not of the bundle or that takes other tensors; then [runtime] is closed.
 */
class FaceEngine(private val runtime: ModelRuntime, private val bundle: Bundle) : Closeable {
    private val image = buffer(bundle.width * bundle.height * 3)
    private val landmarks = buffer(bundle.names.size * 2 * Float.SIZE_BYTES)
    private val confidence = buffer(Float.SIZE_BYTES)
    private val pointConfidence = buffer(bundle.names.size * Float.SIZE_BYTES)
    private val buffers: Map<String, ByteBuffer>
    private val firsts = HashMap<Pair<Long, Clean>, FloatArray>() // a slider that moves asks for the same ones

    init {
        try {
            check()
        } catch (error: BundleException) {
            runtime.close()
            throw error
        }
        val all = mapOf("image" to image, "landmarks" to landmarks, "confidence" to confidence, POINTS to pointConfidence)
        buffers = all.filterKeys { it in runtime.outputs }
    }

    private fun check() {
        val z = runtime.inputs["z"]
        if (z == null || "image" !in runtime.outputs || "landmarks" !in runtime.outputs) {
            throw BundleException("The model has no signature ${ModelRuntime.SIGNATURE} from z to image and landmarks; it is not one of lmedge.")
        }
        if (z.type != "FLOAT32") throw BundleException("The model takes ${z.type} latents; take int8-qat, int8 or fp32.")
        expect("latents", z.shape, listOf(1, bundle.latent.size))
        expect("images", runtime.outputs.getValue("image").shape, listOf(1, bundle.height, bundle.width, 3))
        expect("landmarks", runtime.outputs.getValue("landmarks").shape, listOf(1, bundle.names.size, 2))
        runtime.outputs[POINTS]?.let { expect("confidences of points", it.shape, listOf(1, bundle.names.size)) }
    }

    private fun expect(what: String, found: List<Int>, wanted: List<Int>) {
        if (found != wanted) {
            throw BundleException("The model has $what of $found and ${Bundle.FILE} says $wanted; copy the whole bundle again.")
        }
    }

    /** The face of a latent. Throws BundleException for one of another length. */
    fun render(z: FloatArray): Face {
        if (z.size != bundle.latent.size) {
            throw BundleException("A latent of ${z.size} numbers is not one of ${bundle.latent.size}, as this model takes.")
        }
        buffers.values.forEach { it.rewind() }
        runtime.run(z, buffers)
        buffers.values.forEach { it.rewind() }
        val levels = ByteArray(image.capacity()).also { image.get(it) }
        val points = FloatArray(2 * bundle.names.size).also { landmarks.asFloatBuffer().get(it) }
        val sure = if ("confidence" in buffers) confidence.getFloat(0) else null
        val ofPoints = if (POINTS in buffers) FloatArray(bundle.names.size).also { pointConfidence.asFloatBuffer().get(it) } else null
        return Face(bundle.width, bundle.height, levels, points, sure, ofPoints)
    }

    /**
     * The latent of the first face of a [seed] that is [clean], as `lmedge sample` takes it; where none of [TRIES] is, the
     * last one's.
     */
    fun first(seed: Long, clean: Clean = bundle.clean): FloatArray {
        if (firsts.size >= KEPT) firsts.clear()
        return firsts.getOrPut(seed to clean) {
            val latents = (0L until TRIES).asSequence().map { bundle.latent.truncated(bundle.latent.draw(seed, it), clean.truncation) }
            latents.firstOrNull { clean.minConfidence == 0f || (render(it).confidence ?: 1f) >= clean.minConfidence } ?: latents.last()
        }
    }

    override fun close() = runtime.close()

    private companion object {
        const val TRIES = 32L
        const val KEPT = 32
        const val POINTS = "point_confidence"
    }
}

private fun buffer(bytes: Int) = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
