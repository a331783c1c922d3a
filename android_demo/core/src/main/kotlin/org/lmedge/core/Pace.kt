package org.lmedge.core

/** How long the last [size] faces took. */
class Pace(private val size: Int = 50) {
    private val times = ArrayDeque<Double>()

    /** Adds a face of [ms] milliseconds. */
    fun add(ms: Double) {
        times.addLast(ms)
        if (times.size > size) times.removeFirst()
    }

    /** Forgets them: another model, another number of threads. */
    fun clear() = times.clear()

    /** Milliseconds a face, the median; null before the first one. */
    val median: Double? get() = times.sorted().let { if (it.isEmpty()) null else it[it.size / 2] }

    /** Faces a second at that pace. */
    val perSecond: Double? get() = median?.let { 1000 / it }
}
