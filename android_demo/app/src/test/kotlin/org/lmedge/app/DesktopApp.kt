package org.lmedge.app

import java.nio.ByteBuffer
import java.util.concurrent.CopyOnWriteArraySet
import org.lmedge.engine.DesktopRuntime
import org.lmedge.engine.ModelRuntime

/** The app with TensorFlow Lite of the desktop, and with the bundle that a test chose. */
class DesktopApp : FaceApp() {
    override val folder get() = chosen

    override fun runtime(model: ByteBuffer, threads: Int): ModelRuntime {
        val desktop = DesktopRuntime(ByteArray(model.remaining()).also { model.get(it) })
        return object : ModelRuntime by desktop {
            override fun run(z: FloatArray, outputs: Map<String, ByteBuffer>) {
                threadsOfInference += Thread.currentThread().name
                desktop.run(z, outputs)
            }
        }
    }

    companion object {
        var chosen = "bundle"
        val threadsOfInference = CopyOnWriteArraySet<String>()
    }
}
