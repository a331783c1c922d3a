package org.lmedge.app

import android.view.LayoutInflater
import android.view.ViewGroup
import android.widget.SeekBar
import android.widget.TextView
import org.lmedge.core.Control

/**
 * A slider from a face to the next, and one for each of [controls], added to [parent]; [moved] is called for each step.
 * [kept] is the [state] of earlier ones.
 */
class Sliders(private val parent: ViewGroup, private val controls: List<Control>, kept: IntArray?, private val moved: () -> Unit) {
    private val between = slider(parent.context.getString(R.string.between), kept?.getOrNull(0) ?: 0) {
        parent.context.getString(R.string.between_at, it * 100 / STEPS)
    }
    private val bars = controls.mapIndexed { i, control ->
        slider(control.name, kept?.getOrNull(i + 1) ?: STEPS / 2) { control.said(control.at(it.toFloat() / STEPS)) }
    }

    /** How far the way to the next face is gone, 0 to 1. */
    val share get() = between.progress.toFloat() / STEPS

    /** How much of each control, in its unit. */
    val amounts get() = controls.zip(bars) { control, bar -> control.at(bar.progress.toFloat() / STEPS) }

    /** Where they stand. */
    val state get() = (listOf(between) + bars).map { it.progress }.toIntArray()

    /** Back to this very face. */
    fun toFace() {
        between.progress = 0
    }

    /** Back to this very face, as its latent draws it. */
    fun reset() {
        toFace()
        bars.forEach { it.progress = STEPS / 2 }
    }

    private fun slider(name: String, progress: Int, said: (Int) -> String): SeekBar {
        val row = LayoutInflater.from(parent.context).inflate(R.layout.slider, parent, false) as ViewGroup
        val label = row.findViewById(R.id.label) as TextView
        val bar = row.findViewById(R.id.bar) as SeekBar
        bar.max = STEPS
        bar.progress = progress
        bar.contentDescription = name
        label.text = said(progress)
        bar.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) {
                label.text = said(progress)
                moved()
            }

            override fun onStartTrackingTouch(bar: SeekBar) = Unit
            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        parent.addView(row)
        return bar
    }

    private companion object {
        const val STEPS = 200
    }
}
