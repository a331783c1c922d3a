"""Picture beside text, as FaceSynthetics."""

from pathlib import Path

from lmedge.datasets.formats.format import Format, Shape, on_disk, stem, write_images
from lmedge.datasets.stream import Samples
from lmedge.landmarks import rows
from lmedge.storage import write_files


class FaceSynthetics(Format):
    """As Microsoft's FaceSynthetics: 000000.png beside 000000_ldmks.txt, lines `x y`; without its _seg.png."""

    name = "facesynthetics"
    files = ("[0-9]*.png", "[0-9]*.txt")
    files_per_face = 2

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        write_images(out, first, samples)
        lines = [rows(points, "%.4f %.4f\n").encode() for points in samples.landmarks]
        write_files(out, {f"{stem(number)}_ldmks.txt": text for number, text in enumerate(lines, first)})

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return on_disk(png, block) + on_disk(18 * points, block)


FORMAT = FaceSynthetics()
