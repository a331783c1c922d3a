package org.lmedge.engine

import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.bytedeco.javacpp.BytePointer
import org.bytedeco.javacpp.FloatPointer
import org.bytedeco.tensorflowlite.TfLiteTensor
import org.bytedeco.tensorflowlite.global.tensorflowlite as lite
import org.lmedge.core.BundleException

/** TensorFlow Lite of the desktop, by its C interface: the models run for real without a phone. */
class DesktopRuntime(private val model: ByteArray) : ModelRuntime {
    private val memory = BytePointer(*model)
    private val loaded = lite.TfLiteModelCreate(memory, model.size.toLong())
        ?: throw BundleException("The model cannot be loaded; copy the bundle again.")
    private val interpreter = lite.TfLiteInterpreterCreate(loaded, null as org.bytedeco.tensorflowlite.TfLiteInterpreterOptions?)
        ?: throw BundleException("The model cannot be loaded; copy the bundle again.")
    private val runner = lite.TfLiteInterpreterGetSignatureRunner(interpreter, ModelRuntime.SIGNATURE)

    init {
        if (runner != null) lite.TfLiteSignatureRunnerAllocateTensors(runner)
    }

    override val inputs = if (runner == null) emptyMap() else
        List(lite.TfLiteSignatureRunnerGetInputCount(runner).toInt()) { lite.TfLiteSignatureRunnerGetInputName(runner, it).string }
            .associateWith { facts(lite.TfLiteSignatureRunnerGetInputTensor(runner, it)) }

    override val outputs = if (runner == null) emptyMap() else
        List(lite.TfLiteSignatureRunnerGetOutputCount(runner).toInt()) { lite.TfLiteSignatureRunnerGetOutputName(runner, it).string }
            .associateWith { facts(lite.TfLiteSignatureRunnerGetOutputTensor(runner, it)) }

    override fun run(z: FloatArray, outputs: Map<String, ByteBuffer>) {
        val input = lite.TfLiteSignatureRunnerGetInputTensor(runner, "z")
        check(lite.TfLiteTensorCopyFromBuffer(input, FloatPointer(*z), 4L * z.size) == 0)
        check(lite.TfLiteSignatureRunnerInvoke(runner) == 0)
        for ((name, buffer) in outputs) {
            val tensor = lite.TfLiteSignatureRunnerGetOutputTensor(runner, name)
            val bytes = ByteArray(buffer.capacity())
            BytePointer(lite.TfLiteTensorData(tensor)).get(bytes)
            buffer.order(ByteOrder.nativeOrder()).put(bytes)
        }
    }

    override fun close() {
        if (runner != null) lite.TfLiteSignatureRunnerDelete(runner)
        lite.TfLiteInterpreterDelete(interpreter)
        lite.TfLiteModelDelete(loaded)
    }
}

private fun facts(tensor: TfLiteTensor): TensorFacts {
    val shape = List(lite.TfLiteTensorNumDims(tensor)) { lite.TfLiteTensorDim(tensor, it) }
    val type = mapOf(1 to "FLOAT32", 3 to "UINT8", 9 to "INT8").getValue(lite.TfLiteTensorType(tensor))
    return TensorFacts(type, shape)
}
