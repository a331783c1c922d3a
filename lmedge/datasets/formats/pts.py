"""Picture beside .pts, as 300-W."""

from pathlib import Path

from lmedge.datasets.formats.format import Format, Shape, on_disk, stem, write_images
from lmedge.datasets.stream import Samples
from lmedge.landmarks import pts_text
from lmedge.storage import write_files


class Pts(Format):
    """300-W: 000000.png beside 000000.pts, 1-based."""

    name = "pts"
    files = ("[0-9]*.png", "[0-9]*.pts")
    files_per_face = 2

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        write_images(out, first, samples)
        numbered = enumerate(samples.landmarks, first)
        write_files(out, {f"{stem(number)}.pts": pts_text(points).encode() for number, points in numbered})

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return on_disk(png, block) + on_disk(20 * points + 40, block)


FORMAT = Pts()
