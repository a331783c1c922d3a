package org.lmedge.app

import android.app.Activity
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.Bundle as State
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.LinearLayout
import android.widget.SeekBar
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import java.io.File
import java.io.IOException
import org.lmedge.core.Bundle
import org.lmedge.core.Face
import org.lmedge.core.Latents
import org.lmedge.core.Pace

/** The screen: a face, what moves it, which model draws it, and how fast. */
class FaceActivity : Activity() {
    private lateinit var worker: FaceWorker
    private lateinit var view: FaceView
    private lateinit var status: TextView
    private val pace = Pace()
    private var bundle: Bundle? = null
    private var face: Face? = null
    private var seed = 0L
    private var sliders = emptyList<SeekBar>()
    private var kept = IntArray(0)

    override fun onCreate(state: State?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        view = findViewById(R.id.face)
        status = findViewById(R.id.status)
        seed = state?.getLong(SEED) ?: 0L
        kept = state?.getIntArray(SLIDERS) ?: IntArray(0)
        view.contentDescription = getString(R.string.face)
        view.setOnClickListener { seed += 1; sliders.firstOrNull()?.progress = 0; draw() }
        findViewById<Switch>(R.id.landmarks).setOnCheckedChangeListener { _, _ -> show() }
        findViewById<Button>(R.id.reset).setOnClickListener { reset() }
        findViewById<Button>(R.id.share).setOnClickListener { share() }
        worker = FaceWorker(Assets(assets)) { status.text = it }
        worker.open(::opened)
    }

    override fun onSaveInstanceState(state: State) {
        super.onSaveInstanceState(state)
        state.putLong(SEED, seed)
        state.putIntArray(SLIDERS, sliders.map { it.progress }.toIntArray())
    }

    override fun onDestroy() {
        worker.close()
        super.onDestroy()
    }

    private fun opened(bundle: Bundle) {
        this.bundle = bundle
        val names = listOf(getString(R.string.between)) + bundle.controls.map { it.name }
        sliders = names.mapIndexed { i, name -> slider(name, kept.getOrElse(i) { if (i == 0) 0 else STEPS / 2 }) }
        val variants = PREFERRED.filter { wanted -> bundle.variants.any { it.name == wanted } }
        if (variants.isEmpty()) {
            status.text = "The bundle has none of ${PREFERRED.joinToString()}; export the run again."
            return
        }
        choose(R.id.variant, variants) { load() }
        choose(R.id.threads, (1..Runtime.getRuntime().availableProcessors()).map { it.toString() }) { load() }
    }

    private fun slider(name: String, progress: Int): SeekBar {
        val parent = findViewById<LinearLayout>(R.id.sliders)
        parent.addView(TextView(this).apply { text = name })
        val bar = SeekBar(this)
        bar.max = STEPS
        bar.progress = progress
        bar.contentDescription = name
        bar.minimumHeight = (48 * resources.displayMetrics.density).toInt()
        bar.setOnSeekBarChangeListener(object : SeekBar.OnSeekBarChangeListener {
            override fun onProgressChanged(bar: SeekBar, progress: Int, fromUser: Boolean) = draw()
            override fun onStartTrackingTouch(bar: SeekBar) = Unit
            override fun onStopTrackingTouch(bar: SeekBar) = Unit
        })
        parent.addView(bar)
        return bar
    }

    private fun choose(id: Int, choices: List<String>, chosen: () -> Unit) {
        val spinner = findViewById<Spinner>(id)
        spinner.adapter = ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, choices)
        spinner.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, row: Long) = chosen()
            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
    }

    private fun load() {
        val variant = findViewById<Spinner>(R.id.variant).selectedItem as? String ?: return
        val threads = findViewById<Spinner>(R.id.threads).selectedItem as? String ?: return
        pace.clear()
        worker.load(bundle ?: return, variant, threads.toInt())
        draw()
    }

    private fun reset() = sliders.forEachIndexed { i, slider -> slider.progress = if (i == 0) 0 else STEPS / 2 }

    private fun draw() {
        val bundle = bundle ?: return
        val shares = sliders.map { it.progress.toFloat() / STEPS }
        val amounts = bundle.controls.mapIndexed { i, control -> control.low + shares[i + 1] * (control.high - control.low) }
        val from = Latents.prior(bundle.latentSize, seed)
        val to = Latents.prior(bundle.latentSize, seed + 1)
        worker.draw(Latents.moved(from, to, shares[0], bundle.controls, amounts)) { drawn, ms ->
            face = drawn
            pace.add(ms)
            status.text = getString(R.string.pace, seed, pace.median, pace.perSecond)
            show()
        }
    }

    private fun show() {
        view.show(face ?: return, bundle?.curves.orEmpty(), findViewById<Switch>(R.id.landmarks).isChecked)
    }

    private fun share() {
        val face = face ?: return
        try {
            val folder = SharedFiles.folder(this)
            val picture = File(folder, "face-$seed.png")
            picture.outputStream().use {
                Bitmap.createBitmap(face.pixels(), face.width, face.height, Bitmap.Config.ARGB_8888).compress(Bitmap.CompressFormat.PNG, 100, it)
            }
            val points = File(folder, "face-$seed.pts").apply { writeText(face.pts()) }
            val files = arrayListOf<Uri>(SharedFiles.uri(picture), SharedFiles.uri(points))
            val intent = Intent(Intent.ACTION_SEND_MULTIPLE).setType("*/*").putParcelableArrayListExtra(Intent.EXTRA_STREAM, files)
            startActivity(Intent.createChooser(intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION), getString(R.string.share)))
        } catch (error: IOException) {
            status.text = "The picture cannot be saved (${error.message})."
        }
    }

    private companion object {
        const val SEED = "seed"
        const val SLIDERS = "sliders"
        const val STEPS = 200
        val PREFERRED = listOf("int8-qat", "int8", "fp32", "fp16", "dynamic")
    }
}
