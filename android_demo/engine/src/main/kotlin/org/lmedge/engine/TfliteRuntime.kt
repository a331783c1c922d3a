package org.lmedge.engine

import java.nio.ByteBuffer
import org.lmedge.core.BundleException
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor

/**
 * LiteRT, or TensorFlow Lite, whose classes it has. [model] is mapped or direct, and must stay as it is while this lives.
 * Throws BundleException for a model that this version cannot load.
 */
class TfliteRuntime(model: ByteBuffer, threads: Int) : ModelRuntime {
    private val interpreter = try {
        Interpreter(model, Interpreter.Options().setNumThreads(threads))
    } catch (error: UnsatisfiedLinkError) {
        throw BundleException("TensorFlow Lite has no library for this processor (${error.first()}).")
    } catch (error: RuntimeException) {  // IllegalArgumentException, IllegalStateException
        throw BundleException("The model cannot be loaded (${error.first()}); copy the bundle again.")
    }

    private val known = ModelRuntime.SIGNATURE in interpreter.signatureKeys

    override val inputs = if (!known) emptyMap() else
        interpreter.getSignatureInputs(ModelRuntime.SIGNATURE).associateWith {
            facts(interpreter.getInputTensorFromSignature(it, ModelRuntime.SIGNATURE))
        }

    override val outputs = if (!known) emptyMap() else
        interpreter.getSignatureOutputs(ModelRuntime.SIGNATURE).associateWith {
            facts(interpreter.getOutputTensorFromSignature(it, ModelRuntime.SIGNATURE))
        }

    override fun run(z: FloatArray, outputs: Map<String, ByteBuffer>) =
        interpreter.runSignature(mapOf<String, Any>("z" to arrayOf(z)), outputs.toMap<String, Any>(), ModelRuntime.SIGNATURE)

    override fun close() = interpreter.close()
}

private fun facts(tensor: Tensor) = TensorFacts(tensor.dataType().name, tensor.shape().toList())

private fun Throwable.first() = message.orEmpty().lineSequence().first()
