"""What a drawn face looks like: everything that varies from one to the next."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Colour = tuple[float, float, float]

SKINS = ((255, 224, 196), (241, 194, 155), (224, 172, 125), (198, 134, 88), (141, 85, 48), (92, 58, 38))
HAIRS = ((40, 28, 22), (84, 52, 30), (140, 94, 52), (222, 184, 108), (168, 72, 38), (188, 188, 192))
IRISES = ((62, 42, 30), (110, 70, 36), (70, 120, 80), (70, 118, 176))
CLOTHES = ((60, 90, 160), (170, 60, 60), (70, 140, 100), (60, 60, 70), (220, 200, 90), (235, 235, 235))


@dataclass(frozen=True)
class Look:
    """What varies from face to face. Angles in radians, shares in 0..1, lengths in half head widths."""

    yaw: float  # positive: the nose to the right of the picture
    pitch: float  # positive: down
    roll: float
    scale: float  # half head width, as a share of the picture
    shift: tuple[float, float]  # of the head, as a share of the picture
    chin: float  # length of the jaw
    square: float  # exponent of the jaw's outline; 2 is an ellipse
    smile: float  # -1..1
    mouth_open: float
    mouth_width: float
    eyes_open: float
    eye_distance: float
    brow_raise: float  # -1..1
    brow_arch: float
    nose: float  # length
    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    background: tuple[Colour, Colour]
    hair_style: int  # 0 bald, 1 short, 2 long, 3 fringe, 4 long with fringe
    beard: float  # opacity
    glasses: bool
    light: tuple[float, float]  # brightness across and down, -1..1


def random_look(random: np.random.Generator) -> Look:
    """A look from a random generator."""

    def within(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def around(spread: float, most: float) -> float:
        return float(np.clip(random.normal(0, spread), -most, most))

    def shade(colours: tuple[Any, ...]) -> Colour:
        colour = np.array(colours[random.integers(len(colours))]) * within(0.9, 1.05)
        r, g, b = np.clip(colour + random.normal(0, 5, 3), 0, 255).tolist()
        return r, g, b

    paint = np.clip(random.uniform(110, 225) + random.normal(0, 26, 3), 40, 250)
    darker = paint * within(0.75, 1.0)
    hair_style = int(random.choice(5, p=(0.08, 0.34, 0.22, 0.18, 0.18)))
    return Look(
        yaw=around(0.12, 0.40),
        pitch=around(0.05, 0.16),
        roll=around(0.05, 0.16),
        scale=within(0.320, 0.350),
        shift=(around(0.008, 0.02), around(0.008, 0.02)),
        chin=within(1.12, 1.36),
        square=within(2.0, 2.7),
        smile=within(-0.45, 1.0),
        mouth_open=max(0.0, within(-0.5, 1.0)),
        mouth_width=within(0.30, 0.40),
        eyes_open=within(0.55, 1.0),
        eye_distance=within(0.37, 0.43),
        brow_raise=within(-0.6, 1.0),
        brow_arch=within(0.04, 0.11),
        nose=within(0.42, 0.54),
        skin=shade(SKINS),
        hair=shade(HAIRS),
        iris=shade(IRISES),
        cloth=shade(CLOTHES),
        background=(tuple(paint.tolist()), tuple(darker.tolist())),
        hair_style=hair_style,
        beard=within(0.45, 0.85) if hair_style < 2 and random.random() < 0.4 else 0.0,
        glasses=bool(random.random() < 0.18),
        light=(around(0.35, 0.9), around(0.2, 0.5)),
    )
