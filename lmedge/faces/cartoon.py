"""Drawn faces with exact landmarks.

A face is a set of 3D points on a head (half its width is 1, x to the right of the picture, y down, z to the
viewer), shaped by random parameters, turned, projected, and drawn with OpenCV through those points.
"""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lmedge.affine import Image8
from lmedge.faces.look import Colour, Look

Points = NDArray[np.float64]

SUPERSAMPLING = 2  # on top of OpenCV's own anti-aliasing, whose edges are hard in a 32 px picture
SHIFT = 5  # fractional bits of OpenCV's drawing coordinates


def head_points(look: Look) -> Points:
    """The 68 iBUG points `[68, 3]` on the head before it is turned."""
    points = np.zeros((68, 3))
    # Jaw: from the right ear (left in the picture) over the chin; a superellipse.
    angle = np.linspace(np.pi, 0, 17)
    cosine, sine = np.cos(angle), np.sin(angle)
    points[:17, 0] = np.sign(cosine) * np.abs(cosine) ** (2 / look.square)
    points[:17, 1] = -0.15 + look.chin * np.abs(sine) ** (2 / look.square)
    points[:17, 2] = -0.15 + 0.40 * sine

    across = np.linspace(-1, 1, 5)
    lift = 0.10 * look.brow_raise
    for first, side in ((17, -1), (22, 1)):
        points[first : first + 5, 0] = side * look.eye_distance + 0.24 * across
        points[first : first + 5, 1] = -0.50 - lift - look.brow_arch * (1 - across**2)
        points[first : first + 5, 2] = 0.50 - 0.10 * np.abs(points[first : first + 5, 0])

    down = np.linspace(0, 1, 4)
    points[27:31, 1] = -0.28 + look.nose * down
    points[27:31, 2] = 0.50 + 0.35 * down
    points[31:36, 0] = np.array([-0.17, -0.09, 0, 0.09, 0.17])
    points[31:36, 1] = -0.28 + look.nose + np.array([0.07, 0.10, 0.12, 0.10, 0.07])
    points[31:36, 2] = np.array([0.52, 0.60, 0.66, 0.60, 0.52])

    # Right eye 36-41 clockwise from the outer corner; left eye 42-47 from the inner one.
    eye_x = np.array([-1.0, -0.38, 0.38, 1.0, 0.38, -0.38]) * 0.19
    eye_y = np.array([0.0, -1.0, -1.0, 0.0, 0.75, 0.75]) * 0.115 * look.eyes_open
    for first, side in ((36, -1), (42, 1)):
        points[first : first + 6, 0] = side * look.eye_distance + eye_x
        points[first : first + 6, 1] = -0.20 + eye_y
        points[first : first + 6, 2] = 0.46 - 0.12 * np.abs(points[first : first + 6, 0])

    width, gap = look.mouth_width * (1 + 0.10 * look.smile), 0.13 * look.mouth_open
    bend = 0.09 * look.smile  # corners up
    upper, lower = 0.065, 0.085  # thickness of the lips

    def lip(x: Points, y: Points) -> Points:
        # the corners of a smile lie higher, and further back on the round of the face
        return np.column_stack([x * width, 0.60 + y - bend * (x**2 - 0.35), 0.58 - 0.18 * x**2])

    top_x, bottom_x = np.array([-1, -0.66, -0.26, 0, 0.26, 0.66, 1]), np.array([0.66, 0.33, 0, -0.33, -0.66])
    bow = np.array([0, 0.62, 1.0, 0.86, 1.0, 0.62, 0])
    round_bottom = np.array([0.6, 0.9, 1.0, 0.9, 0.6])
    points[48:55] = lip(top_x, -(upper + gap * 0.4) * bow)
    points[55:60] = lip(bottom_x, (lower + gap) * round_bottom)
    inner_x = np.array([-0.86, -0.4, 0, 0.4, 0.86])
    points[60:65] = lip(inner_x, -gap * 0.4 * np.array([0, 0.8, 1, 0.8, 0]))
    points[65:68] = lip(np.array([0.4, 0, -0.4]), gap * np.array([0.85, 1, 0.85]) + 0.008)
    return points


class _Canvas:
    """The picture being drawn, and the map from the head to it."""

    def __init__(self, look: Look, size: int):
        self.size, self.look = size, look
        self.side = size * SUPERSAMPLING
        cy, sy, cp, sp = np.cos(look.yaw), np.sin(look.yaw), np.cos(look.pitch), np.sin(look.pitch)
        cr, sr = np.cos(look.roll), np.sin(look.roll)
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        self.turn = (roll @ pitch @ yaw)[:2]
        # The middle between forehead and chin goes to the middle of the picture.
        self.centre = (np.array([0.5, 0.47]) + look.shift) * size - 0.5
        top = np.linspace(0, 1, self.side)[:, None, None]
        first, second = (np.array(c) for c in look.background)
        self.pixels = np.ascontiguousarray(
            np.broadcast_to(first * (1 - top) + second * top, (self.side, self.side, 3)), dtype=np.uint8
        )

    def project(self, points: Points) -> Points:
        """Head points `[N, 3]` -> pixels of the finished picture `[N, 2]`."""
        return points @ self.turn.T * (self.look.scale * self.size) + self.centre

    def _fixed(self, points: Points) -> NDArray[np.int32]:
        where = (points + 0.5) * SUPERSAMPLING - 0.5
        return np.round(where * (1 << SHIFT)).astype(np.int32)

    def fill(self, points: Points, colour: Any) -> None:
        cv2.fillPoly(self.pixels, [self._fixed(points)], colour, cv2.LINE_AA, SHIFT)

    def line(self, points: Points, colour: Any, width: float, closed: bool = False) -> None:
        """A line as wide as `width` half head widths."""
        thickness = max(1, round(width * self.look.scale * self.side))
        cv2.polylines(self.pixels, [self._fixed(points)], closed, colour, thickness, cv2.LINE_AA, SHIFT)

    def dot(self, point: Points, radius: float, colour: Any) -> None:
        x, y = self._fixed(point[None])[0].tolist()
        r = round(radius * self.look.scale * self.side * (1 << SHIFT))
        cv2.circle(self.pixels, (x, y), r, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)

    def finished(self) -> Image8:
        return cv2.resize(self.pixels, (self.size, self.size), interpolation=cv2.INTER_AREA)


@lru_cache
def _spline(count: int, closed: bool, steps: int = 5) -> Points:
    """Catmull-Rom curve through `count` points as a matrix `[M, count]`."""
    t = np.arange(steps) / steps
    basis = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3], axis=1
    )
    spans = count if closed else count - 1
    matrix = np.zeros((spans * steps + (not closed), count))
    for i in range(spans):
        for j in range(4):
            k = (i + j - 1) % count if closed else min(max(i + j - 1, 0), count - 1)
            matrix[i * steps : (i + 1) * steps, k] += basis[:, j]
    if not closed:
        matrix[-1, -1] = 1
    return matrix


def _curve(points: Points, closed: bool = False) -> Points:
    return _spline(len(points), closed) @ points


def _times(colour: Colour, factor: float) -> Colour:
    r, g, b = (min(255.0, c * factor) for c in colour)
    return r, g, b


def draw_face(look: Look, size: int) -> tuple[Image8, NDArray[np.float32]]:
    """The face `[size, size, 3]` RGB and its 68 landmarks `[68, 2]` in pixels."""
    canvas = _Canvas(look, size)
    head = head_points(look)
    points = canvas.project(head)
    # The skull: from the left ear over the top back to the right one.
    angle = np.linspace(0, np.pi, 11)[1:-1]
    skull = np.column_stack([np.cos(angle), -0.15 - 1.12 * np.sin(angle), -0.15 + 0.25 * np.sin(angle)])
    outline = _curve(canvas.project(np.concatenate([head[:17], skull])), closed=True)

    _draw_behind(canvas)
    canvas.fill(outline, look.skin)
    _draw_light(canvas, outline)
    if look.beard:
        _draw_beard(canvas, head)
    _draw_nose(canvas, points)
    for first in (36, 42):
        _draw_eye(canvas, points[first : first + 6], head[first : first + 6])
    brow = look.hair if look.hair_style else (70.0, 50.0, 40.0)
    for first in (17, 22):
        canvas.line(_curve(points[first : first + 5]), _times(brow, 0.75), 0.085)
    _draw_mouth(canvas, points)
    _draw_hair(canvas, head, skull)
    if look.glasses:
        _draw_glasses(canvas, head)
    return canvas.finished(), points.astype(np.float32)


def _draw_behind(canvas: _Canvas) -> None:
    """Shoulders, neck, ears, and the hair that falls behind."""
    look = canvas.look
    if look.hair_style:
        long = look.hair_style in (2, 4)
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        drop = np.where(np.sin(angle) > 0, 1.55 if long else 0.75, 1.28)
        back = np.column_stack([1.18 * np.cos(angle), -0.15 + drop * np.sin(angle), np.full(20, -0.45)])
        canvas.fill(_curve(canvas.project(back), closed=True), _times(look.hair, 0.7))
    neck = np.array([[-0.45, 0.6, -0.4], [0.45, 0.6, -0.4], [0.5, 1.7, -0.4], [-0.5, 1.7, -0.4]])
    canvas.fill(canvas.project(neck), _times(look.skin, 0.72))
    shoulders = np.array([[-2.2, 2.4], [-1.5, 1.55], [-0.5, 1.4], [0, 1.5], [0.5, 1.4], [1.5, 1.55], [2.2, 2.4]])
    # The body does not turn with the head.
    body = shoulders * (look.scale * canvas.size) + canvas.centre
    below = body[[-1, 0]] + np.array([0, canvas.size])
    canvas.fill(np.concatenate([_curve(body), below]), look.cloth)
    for side in (-1, 1):
        ear = canvas.project(np.array([[side * 1.02, -0.08, -0.25]]))[0]
        canvas.dot(ear, 0.19, _times(look.skin, 0.88))


def _draw_light(canvas: _Canvas, outline: Points) -> None:
    """Lights the face from one side and above or below, within its outline."""
    side = canvas.side
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [canvas._fixed(outline)], 255, cv2.LINE_AA, SHIFT)
    ramp = (np.arange(side, dtype=np.float32) / side - 0.5) * 2
    across, down = canvas.look.light
    gain = 0.26 * (across * ramp[None, :] + down * ramp[:, None]) * (mask / np.float32(255))
    lit = canvas.pixels * (1 + gain[..., None])
    canvas.pixels = np.clip(lit, 0, 255).astype(np.uint8)


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    r, g, b = (a * (1 - share) + c * share for a, c in zip(first, second, strict=True))
    return r, g, b


def _draw_beard(canvas: _Canvas, head: Points) -> None:
    jaw = head[2:15]
    middle = np.array([0, 0.42, 0.55])
    inner = jaw[::-1] * 0.62 + middle * 0.38
    inner[4:9] = [
        [0.36, 0.42, 0.5],
        [0.2, 0.40, 0.55],
        [0, 0.44, 0.58],
        [-0.2, 0.40, 0.55],
        [-0.36, 0.42, 0.5],
    ]
    colour = _mixed(canvas.look.skin, _times(canvas.look.hair, 0.8), canvas.look.beard)
    canvas.fill(canvas.project(np.concatenate([jaw, inner])), colour)


def _draw_nose(canvas: _Canvas, points: Points) -> None:
    skin = canvas.look.skin
    base = _curve(points[31:36])
    canvas.fill(np.concatenate([points[[28, 30]], base[::-1]]), _times(skin, 0.93))
    canvas.line(_curve(points[27:31]), _times(skin, 1.12), 0.05)
    canvas.line(base, _times(skin, 0.62), 0.04)


def _draw_eye(canvas: _Canvas, points: Points, head: Points) -> None:
    lids = _curve(points, closed=True)
    skin = canvas.look.skin
    # The part of the picture that holds lids and iris.
    reach = 0.25 * canvas.look.scale * canvas.side
    column, row = (points.mean(axis=0) + 0.5) * SUPERSAMPLING - 0.5
    part = np.s_[max(0, int(row - reach)) : int(row + reach) + 2, max(0, int(column - reach)) : int(column + reach) + 2]
    before = canvas.pixels[part].copy() if canvas.look.eyes_open < 0.9 else None
    canvas.fill(lids, (248, 248, 246))
    centre = canvas.project(head.mean(axis=0, keepdims=True))[0]
    radius = 0.095
    canvas.dot(centre, radius, canvas.look.iris)
    canvas.dot(centre, radius * 0.5, (16, 14, 14))
    if before is not None:  # the lids cover the iris
        mask = np.zeros(canvas.pixels.shape[:2], np.uint8)
        cv2.fillPoly(mask, [canvas._fixed(lids)], 255, cv2.LINE_AA, SHIFT)
        share = (mask[part] / np.float32(255))[..., None]
        canvas.pixels[part] = (before * (1 - share) + canvas.pixels[part] * share).astype(np.uint8)
    half = len(lids) // 2
    canvas.line(lids[: half + 1], _times(skin, 0.3), 0.045)
    canvas.line(lids[half:], _times(skin, 0.62), 0.03)


def _draw_mouth(canvas: _Canvas, points: Points) -> None:
    lip = _mixed(canvas.look.skin, (196.0, 52.0, 62.0), 0.6)
    canvas.fill(_curve(points[48:60], closed=True), lip)
    inner = _curve(points[60:68], closed=True)
    if canvas.look.mouth_open > 0.08:
        canvas.fill(inner, (72, 22, 26))
        teeth = np.concatenate([points[60:65], 0.45 * points[[63, 62, 61]] + 0.55 * points[[65, 66, 67]]])
        canvas.fill(teeth, (244, 242, 236))
    else:
        canvas.line(_curve(points[60:65]), _times(lip, 0.5), 0.03)


def _draw_hair(canvas: _Canvas, head: Points, skull: Points) -> None:
    """The hair over the forehead, between the skull's outline and a hair line."""
    look = canvas.look
    if not look.hair_style:
        return
    # From the left ear (right in the picture) over the top to the right one, and back along the hair line.
    ears = np.array([[1.04, -0.2, -0.15], [-1.04, -0.2, -0.15]])
    outer = np.concatenate([ears[:1], skull * (1.06, 1.07, 1.0), ears[1:]])
    fringe = look.hair_style in (3, 4)
    x = np.linspace(-0.96, 0.96, 11)
    top = -0.72 if fringe else -1.02
    wave = 0.05 * np.sin(3 * x + 0.8)
    y = top + wave + (-0.42 - top) * np.abs(x) ** (6 if fringe else 3)
    line = np.column_stack([x, y, 0.30 - 0.35 * x**2])
    canvas.fill(_curve(canvas.project(np.concatenate([outer, line])), closed=True), look.hair)


def _draw_glasses(canvas: _Canvas, head: Points) -> None:
    frame = (32, 32, 36)
    angle = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.column_stack([0.29 * np.cos(angle), 0.24 * np.sin(angle), np.zeros(16)])
    for first, side in ((36, -1), (42, 1)):
        centre = head[first : first + 6].mean(axis=0) + np.array([0, 0.01, 0.12])
        canvas.line(canvas.project(circle + centre), frame, 0.05, closed=True)
        temple = np.array([[centre[0] + side * 0.29, centre[1], centre[2]], [side, -0.22, -0.15]])
        canvas.line(canvas.project(temple), frame, 0.05)
    bridge = canvas.project(np.array([[-0.12, -0.22, 0.6], [0.12, -0.22, 0.6]]))
    canvas.line(bridge, frame, 0.05)
