"""Pictures and one table."""

import csv
from pathlib import Path

from lmedge.datasets.formats.format import Format, Labels, Shape, attributes_of, on_disk, stem, write_images
from lmedge.datasets.stream import Samples
from lmedge.storage import replacing


class Csv(Format):
    """images/ and landmarks.csv: file, x and y of each point, confidences, latent, mirrored, attributes."""

    name = "csv"
    files = ("images", "landmarks.csv")
    files_per_face = 1

    def part(self, out: Path, first: int, samples: Samples, shape: Shape) -> None:
        write_images(out / "images", first, samples)

    def finish(self, out: Path, labels: Labels, shape: Shape) -> None:
        with replacing(out / "landmarks.csv") as beside, beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            number = 0
            for samples in labels():
                sure = samples.confidences(shape.scheme.names)
                if not number:
                    axes = (f"{name}_{axis}" for name in shape.scheme.names for axis in "xy")
                    writer.writerow(["file", *axes, *sure, "latent", "mirrored", *shape.attributes])
                for i in range(len(samples)):
                    points = [f"{value:.4f}" for value in samples.landmarks[i].ravel().tolist()]
                    score = [f"{values[i]:.4f}" for values in sure.values()]
                    latent = [int(samples.numbers[i]), int(samples.mirrored[i])]
                    shown = attributes_of(samples, i, shape).values()
                    writer.writerow([f"images/{stem(number)}.png", *points, *score, *latent, *shown])
                    number += 1

    def bytes_per_face(self, png: float, points: int, block: int) -> float:
        return on_disk(png, block) + 18 * points + 40


FORMAT = Csv()
