package org.lmedge.engine

import java.nio.ByteBuffer
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.lmedge.core.BundleException

/** In a process of its own that has no native library of TensorFlow Lite, as a phone with another processor. */
class MissingLibraryTest {
    @Test
    fun aProcessorThatTensorFlowLiteIsNotForIsSaid() {
        val said = assertThrows(BundleException::class.java) { TfliteRuntime(ByteBuffer.allocateDirect(100), 1) }.message!!
        assertTrue(said, said.startsWith("TensorFlow Lite has no library for this processor ("))
    }
}
