package org.lmedge.app

import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import org.lmedge.core.Bundle
import org.lmedge.core.BundleException
import org.lmedge.core.Face
import org.lmedge.engine.FaceEngine
import org.lmedge.engine.TfliteRuntime

/**
 * Draws on a thread of its own, and answers on the main one. Of faces that are asked for while one is being drawn, only
 * the last is.
 */
class FaceWorker(private val assets: Assets, private val failed: (String) -> Unit) {
    private val thread = HandlerThread("faces").apply { start() }
    private val worker = Handler(thread.looper)
    private val main = Handler(Looper.getMainLooper())
    private var engine: FaceEngine? = null

    /** Reads the bundle. */
    fun open(opened: (Bundle) -> Unit) = work {
        val bundle = assets.bundle()
        main.post { opened(bundle) }
    }

    /** Takes another model, or another number of threads. */
    fun load(bundle: Bundle, variant: String, threads: Int) = work {
        engine?.close()
        engine = null
        engine = FaceEngine(TfliteRuntime(assets.model(bundle.variants.single { it.name == variant }), threads), bundle)
    }

    /** The face of a latent, and the milliseconds that it took. */
    fun draw(z: FloatArray, drawn: (Face, Double) -> Unit) {
        worker.removeCallbacksAndMessages(FACE)
        worker.postAtTime({
            guarded {
                val start = System.nanoTime()
                val face = engine?.render(z)
                val ms = (System.nanoTime() - start) / 1e6
                if (face != null) main.post { drawn(face, ms) }
            }
        }, FACE, android.os.SystemClock.uptimeMillis())
    }

    fun close() {
        main.removeCallbacksAndMessages(null)
        worker.removeCallbacksAndMessages(null)
        worker.post { engine?.close() }
        thread.quitSafely()
    }

    private fun work(job: () -> Unit) {
        worker.post { guarded(job) }
    }

    private fun guarded(job: () -> Unit) {
        try {
            job()
        } catch (error: BundleException) {
            main.post { failed(error.message.orEmpty()) }
        }
    }

    private companion object {
        val FACE = Any()
    }
}
