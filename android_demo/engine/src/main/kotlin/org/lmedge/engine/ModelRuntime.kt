package org.lmedge.engine

import java.io.Closeable
import java.nio.ByteBuffer

/** A tensor of a model: `type` as TensorFlow Lite calls it, such as FLOAT32. */
class TensorFacts(val type: String, val shape: List<Int>)

/** Runs the signature `sample` of a model file. This is all that the app needs of TensorFlow Lite, or of LiteRT. */
interface ModelRuntime : Closeable {
    /** Inputs of the signature by name; empty where the model does not have it. */
    val inputs: Map<String, TensorFacts>
    val outputs: Map<String, TensorFacts>

    /** Fills direct buffers of native order, which are large enough for the outputs of these names. */
    fun run(z: FloatArray, outputs: Map<String, ByteBuffer>)

    companion object {
        const val SIGNATURE = "sample"
    }
}
