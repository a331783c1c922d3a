package org.lmedge.app

import android.content.res.AssetManager
import java.io.FileNotFoundException
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import org.lmedge.core.Bundle
import org.lmedge.core.BundleException
import org.lmedge.core.Variant

/** The bundle among the app's assets, in [folder]. */
class Assets(private val assets: AssetManager, private val folder: String) {
    /** Throws BundleException where there is none, or one that cannot be used. */
    fun bundle(): Bundle {
        val text = try {
            assets.open("$folder/${Bundle.FILE}").use { it.readBytes().toString(Charsets.UTF_8) }
        } catch (error: IOException) {
            throw BundleException("The app has no bundle; build it with -Pbundle=PATH of a bundle.")
        }
        return Bundle.read(text)
    }

    /** A model, mapped into memory: it is stored uncompressed. Throws BundleException for one that is not there or not whole. */
    fun model(variant: Variant): ByteBuffer {
        try {
            assets.openFd("$folder/${variant.file}").use { file ->
                if (file.length != variant.bytes) {
                    throw BundleException("${variant.file} has ${file.length} bytes and should have ${variant.bytes}; build the app again.")
                }
                return file.createInputStream().channel.use { it.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.length) }
            }
        } catch (error: FileNotFoundException) {
            throw BundleException("${variant.file} is not among the app's files, or compressed; build the app again.")
        } catch (error: IOException) {
            throw BundleException("${variant.file} cannot be read (${error.message}).")
        }
    }
}
