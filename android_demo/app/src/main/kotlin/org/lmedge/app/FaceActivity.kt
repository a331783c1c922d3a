package org.lmedge.app

import android.app.Activity
import android.content.Intent
import android.os.Bundle as State
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner
import android.widget.Switch
import android.widget.TextView
import java.io.IOException
import org.lmedge.core.Bundle
import org.lmedge.core.Clean
import org.lmedge.core.Face
import org.lmedge.core.Pace
import org.lmedge.core.Variant

/** The screen: a face, what moves it, which model draws it, and how fast. */
class FaceActivity : Activity() {
    private val view by lazy { findViewById(R.id.face) as FaceView }
    private val status by lazy { findViewById(R.id.status) as TextView }
    private val landmarks by lazy { findViewById(R.id.landmarks) as Switch }
    private val clean by lazy { findViewById(R.id.clean) as Switch }
    private val share by lazy { findViewById(R.id.share) as Button }
    private val pace = Pace()
    private lateinit var worker: FaceWorker
    private var kept = State()  // of the screen before a rotation
    private var seed = 0L
    private var bundle: Bundle? = null
    private var sliders: Sliders? = null
    private var loaded: Pair<Variant, Int>? = null  // and its threads
    private var face: Face? = null
    private var z = FloatArray(0)  // that was drawn last
    private var pulled: FloatArray? = null  // how far z is moved because somebody dragged a point

    override fun onCreate(state: State?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        kept = state ?: State()
        seed = kept.getLong(SEED)
        pulled = kept.getFloatArray(PULLED)
        view.setOnClickListener { next() }
        landmarks.setOnCheckedChangeListener { _, _ -> show() }
        clean.setOnCheckedChangeListener { _, _ -> draw() }
        (findViewById(R.id.reset) as Button).setOnClickListener { reset() }
        share.setOnClickListener { share() }
        val app = application as FaceApp
        worker = FaceWorker(Assets(assets, app.folder), app::runtime, ::refuse)
        worker.open(::opened)
    }

    override fun onSaveInstanceState(state: State) {
        super.onSaveInstanceState(state)
        state.putLong(SEED, seed)
        state.putFloatArray(PULLED, pulled)
        state.putIntArray(SLIDERS, sliders?.state ?: kept.getIntArray(SLIDERS))
        state.putString(VARIANT, loaded?.first?.name ?: kept.getString(VARIANT))
        state.putInt(THREADS, loaded?.second ?: kept.getInt(THREADS))
    }

    override fun onDestroy() {
        worker.close()
        super.onDestroy()
    }

    private fun opened(bundle: Bundle, variants: List<Variant>) {
        this.bundle = bundle
        clean.visibility = if (bundle.clean.isAll) View.GONE else View.VISIBLE
        sliders = Sliders(findViewById(R.id.sliders) as ViewGroup, bundle.controls, kept.getIntArray(SLIDERS), ::draw)
        if (bundle.latent.shapes?.points == bundle.names.size) {
            view.taken = ::taken
            findViewById(R.id.hint).visibility = View.VISIBLE
        }
        val counts = (1..Runtime.getRuntime().availableProcessors()).map { it.toString() }
        val variant = choice(R.id.variant, variants.map { it.name }, kept.getString(VARIANT))
        val threads = choice(R.id.threads, counts, kept.getInt(THREADS).toString())
        val load = { load(bundle, variants[variant.selectedItemPosition], threads.selectedItemPosition + 1) }
        listOf(variant, threads).forEach { it.onItemSelectedListener = Chosen(load) }
        load()
    }

    private fun choice(id: Int, names: List<String>, name: String?) = (findViewById(id) as Spinner).apply {
        adapter = ArrayAdapter(context, android.R.layout.simple_spinner_item, names).apply {
            setDropDownViewResource(android.R.layout.simple_spinner_dropdown_item)
        }
        setSelection(maxOf(0, names.indexOf(name)))
    }

    /** Spinners also tell of the first choice, when they are laid out. */
    private fun load(bundle: Bundle, variant: Variant, threads: Int) {
        if (loaded == variant to threads) return
        loaded = variant to threads
        pace.clear()
        worker.load(bundle, variant, threads)
        draw()
    }

    private fun next() {
        seed += 1
        pulled = null
        sliders?.toFace()
        draw()
    }

    private fun reset() {
        val dragged = pulled != null
        pulled = null
        sliders?.reset() // draws, where one of them moves
        if (dragged) draw()
    }

    /** What is called when a point is dragged from where it is now. */
    private fun taken(point: Int): (Float, Float) -> Unit {
        val (begin, before) = z to (pulled ?: FloatArray(z.size))
        return { x, y ->
            val pull = bundle?.latent?.pull(begin, point, x, y)
            pulled = pull?.let { FloatArray(it.size) { j -> before[j] + it[j] } }
            draw()
        }
    }

    private fun draw() {
        val (bundle, sliders, seed) = Triple(bundle ?: return, sliders ?: return, seed)
        val (share, amounts, pulled) = Triple(sliders.share, sliders.amounts, pulled ?: FloatArray(bundle.latent.size))
        val moved = { from: FloatArray, to: FloatArray -> bundle.latent.moved(from, to, share, bundle.controls, amounts, pulled) }
        worker.draw(seed, if (clean.isChecked) bundle.clean else Clean(), moved) { drawn, of, ms ->
            face = drawn
            z = of
            pace.add(ms)
            say(getString(R.string.pace, seed, pace.median, pace.perSecond), View.ACCESSIBILITY_LIVE_REGION_NONE)
            view.contentDescription = getString(R.string.face, seed)
            this.share.isEnabled = true
            show()
        }
    }

    private fun show() {
        view.show(face ?: return, bundle?.curves.orEmpty(), landmarks.isChecked)
    }

    /** TalkBack reads out what went wrong, and not the pace of each face. */
    private fun refuse(sentence: String) = say(sentence, View.ACCESSIBILITY_LIVE_REGION_POLITE)

    private fun say(sentence: String, region: Int) {
        status.accessibilityLiveRegion = region
        status.text = sentence
    }

    private fun share() {
        try {
            val files = SharedFiles.write(this, "face-$seed", face ?: return)
            val intent = Intent(Intent.ACTION_SEND_MULTIPLE).setType("*/*").putParcelableArrayListExtra(Intent.EXTRA_STREAM, files)
            startActivity(Intent.createChooser(intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION), getString(R.string.share)))
        } catch (error: IOException) {
            refuse("The picture cannot be saved (${error.message}).")
        }
    }

    private class Chosen(private val changed: () -> Unit) : AdapterView.OnItemSelectedListener {
        override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, row: Long) = changed()
        override fun onNothingSelected(parent: AdapterView<*>?) = Unit
    }

    private companion object {
        const val SEED = "seed"
        const val PULLED = "pulled"
        const val SLIDERS = "sliders"
        const val VARIANT = "variant"
        const val THREADS = "threads"
    }
}
