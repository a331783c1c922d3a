package org.lmedge.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

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
        private const val AUTHORITY = "org.lmedge.app.files"

        fun folder(context: Context) = File(context.cacheDir, "shared").apply { mkdirs() }

        fun uri(file: File): Uri = Uri.Builder().scheme("content").authority(AUTHORITY).appendPath(file.name).build()
    }
}
