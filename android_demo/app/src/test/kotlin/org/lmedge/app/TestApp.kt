package org.lmedge.app

import java.nio.ByteBuffer
import java.util.concurrent.CopyOnWriteArraySet
import org.lmedge.engine.DesktopRuntime
import org.lmedge.engine.ModelRuntime

/**
 * The app with the bundle that a test chose, on its own runtime; on TensorFlow Lite of the desktop where the system property
 * `runtimes` says that Android's library could not be made to load.
 */
class TestApp : FaceApp() {
    override val folder get() = chosen

    override fun runtime(model: ByteBuffer, threads: Int): ModelRuntime {
        val runtime = if ("android" in System.getProperty("runtimes")!!) super.runtime(model, threads) else
            DesktopRuntime(ByteArray(model.remaining()).also { model.get(it) })
        return object : ModelRuntime by runtime {
            override fun run(z: FloatArray, outputs: Map<String, ByteBuffer>) {
                threadsOfInference += Thread.currentThread().name
                runtime.run(z, outputs)
            }
        }
    }

    companion object {
        lateinit var chosen: String
        val threadsOfInference = CopyOnWriteArraySet<String>()
    }
}
