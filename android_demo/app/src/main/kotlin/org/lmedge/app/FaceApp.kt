package org.lmedge.app

import android.app.Application
import java.nio.ByteBuffer
import org.lmedge.engine.ModelRuntime
import org.lmedge.engine.TfliteRuntime

/** Which bundle the app shows, and what runs its models: the place for a runtime of your own. */
open class FaceApp : Application() {
    /** The bundle's folder among the assets. */
    open val folder = "bundle"

    /** A model, ready to run; see [TfliteRuntime]. */
    open fun runtime(model: ByteBuffer, threads: Int): ModelRuntime = TfliteRuntime(model, threads)
}
