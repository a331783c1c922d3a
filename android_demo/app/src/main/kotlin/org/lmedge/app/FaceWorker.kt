package org.lmedge.app

import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.os.Looper
import android.os.SystemClock
import java.nio.ByteBuffer
import org.lmedge.core.Bundle
import org.lmedge.core.BundleException
import org.lmedge.core.Clean
import org.lmedge.core.Face
import org.lmedge.core.Variant
import org.lmedge.engine.FaceEngine
import org.lmedge.engine.ModelRuntime

/**
 * Reads the bundle and draws, on a thread of its own, and answers on the main one; [failed] gets the sentence of what
 * cannot be used. Of faces that are asked for while one is being drawn, only the last is.
 */
class FaceWorker(
    private val assets: Assets,
    private val runtime: (ByteBuffer, Int) -> ModelRuntime,
    private val failed: (String) -> Unit,
) {
    private val thread = HandlerThread("faces").apply { start() }
    private val worker = Handler(thread.looper)
    private val main = Handler(Looper.getMainLooper())
    private var engine: FaceEngine? = null

    /** The bundle, and its models, the best one for this processor first. */
    fun open(opened: (Bundle, List<Variant>) -> Unit) = work {
        val bundle = assets.bundle()
        val variants = bundle.variantsFor(Build.SUPPORTED_ABIS.first())
        main.post { opened(bundle, variants) }
    }

    /** Takes another model, or another number of threads. */
    fun load(bundle: Bundle, variant: Variant, threads: Int) = work {
        engine?.close()
        engine = null
        engine = FaceEngine(runtime(assets.model(variant), threads), bundle)
    }

    /**
     * The face of the latent that [moved] makes of those of the first [clean] faces of a [seed] and the next one, that
     * latent, and the milliseconds that the face took; nothing where no model could be loaded.
     */
    fun draw(seed: Long, clean: Clean, moved: (FloatArray, FloatArray) -> FloatArray, drawn: (Face, FloatArray, Double) -> Unit) {
        val job = guarded {
            val engine = engine ?: return@guarded
            val z = moved(engine.first(seed, clean), engine.first(seed + 1, clean))
            val start = System.nanoTime()
            val face = engine.render(z)
            val ms = (System.nanoTime() - start) / 1e6
            main.post { drawn(face, z, ms) }
        }
        worker.removeCallbacksAndMessages(FACE)
        worker.postAtTime(job, FACE, SystemClock.uptimeMillis())
    }

    /** Answers no more, and ends after what is being drawn. */
    fun close() {
        worker.removeCallbacksAndMessages(null)
        worker.post {
            engine?.close()
            main.removeCallbacksAndMessages(null)
        }
        thread.quitSafely()
    }

    private fun work(job: () -> Unit) {
        worker.post(guarded(job))
    }

    private fun guarded(job: () -> Unit) = Runnable {
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
