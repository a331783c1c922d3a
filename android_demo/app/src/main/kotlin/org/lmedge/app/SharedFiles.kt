package org.lmedge.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.graphics.Bitmap
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException
import java.io.IOException
import org.lmedge.core.Face

/** Hands the files of the folder `shared` in the cache to the app that somebody shares them with; read only. */
class SharedFiles : ContentProvider() {
    override fun onCreate() = true

    override fun getType(uri: Uri) = if (file(uri).extension == "png") "image/png" else "text/plain"

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor =
        ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)

    override fun query(uri: Uri, projection: Array<String>?, selection: String?, args: Array<String>?, order: String?): Cursor {
        val file = file(uri)
        return MatrixCursor(arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)).apply {
            addRow(arrayOf<Any>(file.name, file.length()))
        }
    }

    /** A name inside of the folder, never a path out of it. */
    private fun file(uri: Uri): File {
        val name = uri.lastPathSegment.orEmpty()
        val file = File(folder(context!!), name)
        if ('/' in name || name.startsWith(".") || !file.isFile) throw FileNotFoundException(uri.toString())
        return file
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null
    override fun delete(uri: Uri, selection: String?, args: Array<String>?) = 0
    override fun update(uri: Uri, values: ContentValues?, selection: String?, args: Array<String>?) = 0

    companion object {
        private fun folder(context: Context) = File(context.cacheDir, "shared").apply { mkdirs() }

        /** Saves a face as NAME.png and its points as NAME.pts, and gives their addresses. Throws IOException. */
        fun write(context: Context, name: String, face: Face): ArrayList<Uri> {
            val picture = File(folder(context), "$name.png")
            val bitmap = Bitmap.createBitmap(face.pixels(), face.width, face.height, Bitmap.Config.ARGB_8888)
            val whole = picture.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
            if (!whole) throw IOException("no space is left")  // what else could stop a bitmap in memory
            val points = File(folder(context), "$name.pts").apply { writeText(face.pts()) }
            val base = Uri.Builder().scheme("content").authority("${context.packageName}.files").build()
            return listOf(picture, points).mapTo(ArrayList()) { Uri.withAppendedPath(base, it.name) }
        }
    }
}
