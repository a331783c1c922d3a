package org.lmedge.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class FaceTest {
    private val face = Face(2, 1, byteArrayOf(0, 127, -1, 1, 2, 3), floatArrayOf(0.25f, 0.5f, 0.75f, 0.5f), null)

    @Test
    fun pixelsAreOpaqueAndUnsigned() = assertArrayEquals(intArrayOf(0xff007fff.toInt(), 0xff010203.toInt()), face.pixels())

    @Test
    fun pointsAreSavedAsA300WFile() =
        assertEquals("version: 1\nn_points: 2\n{\n1.000 1.000\n2.000 1.000\n}\n", face.pts())

    @Test
    fun aFaceIsAsLargeAsFitsInTheMiddleOfItsView() {
        val tall = Placement(100f, 300f, 2, 1)
        assertEquals(listOf(50f, 100f, 50f, 0f, 125f), listOf(tall.scale, tall.width, tall.height, tall.left, tall.top))
        assertArrayEquals(floatArrayOf(25f, 150f, 75f, 150f), tall.points(face.landmarks), 1e-4f)
        assertEquals(250f, Placement(600f, 50f, 2, 1).left, 1e-4f)
    }

    @Test
    fun thePaceIsTheMedianOfTheLastFaces() {
        val pace = Pace(3)
        assertNull(pace.median)
        listOf(100.0, 4.0, 2.0, 5.0).forEach(pace::add)
        assertEquals(4.0, pace.median!!, 0.0)
        assertEquals(250.0, pace.perSecond!!, 1e-9)
        pace.clear()
        assertNull(pace.perSecond)
    }
}
