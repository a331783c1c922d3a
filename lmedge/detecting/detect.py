"""The `detect` stage: photos, a video or a camera -> landmarks of all faces."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from lmedge.detecting.finder import Finder
from lmedge.detecting.options import DetectConfig
from lmedge.detecting.shots import Frames, Photos, Shot, shots_of
from lmedge.detecting.writers import FILES, SKIPPED, WRITERS, DrawnPhotos, DrawnVideo, Sink
from lmedge.errors import LmedgeError
from lmedge.folders import making_folder
from lmedge.interrupt import asking
from lmedge.progress import console, progress
from lmedge.runtime.detector import LandmarkDetector, detector_file
from lmedge.storage import write_table

KIND, NO_FACE = "landmarks of `lmedge detect`", "no face found"


@dataclass
class Tally:
    """How many pictures were `looked` at, the `faces` in them, and (picture, reason) of those without one."""

    looked: int = 0
    faces: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def reasons(self) -> dict[str, int]:
        return dict(Counter(reason for _, reason in self.skipped).most_common())


@dataclass(frozen=True)
class Detected:
    """`faces` in `looked` pictures (`unit`: photos or frames), `per_second` of them; `skipped`: reason -> pictures;
    `unread`: frames that a video says it has and that could not be read."""

    out: Path
    unit: str
    looked: int
    faces: int
    per_second: float
    skipped: dict[str, int]
    unread: int


def detect(config: DetectConfig) -> Detected:
    """Finds faces and their landmarks; see DetectConfig. Raises UsageError for what is neither photos nor video,
    LmedgeError where there is no face."""
    file = detector_file(config.model, config.variant)
    finder = Finder(LandmarkDetector(file, config.interpreter))
    with (
        making_folder(config.out, KIND, config.overwrite, names=FILES) as folder,
        shots_of(config.source, config.frames) as shots,
    ):
        began = time.monotonic()
        tally = _look(shots, finder, _sinks(config, folder, finder, shots))
        rate = tally.faces / max(time.monotonic() - began, 1e-9)
        if shots.unread:
            there = tally.looked + shots.unread
            console.print(f"{tally.looked} of {there} frames could be read; {config.source} may be damaged")
        if not tally.faces:
            why = ", ".join(f"{number} {reason}" for reason, number in tally.reasons.items())
            raise LmedgeError(f"{config.source} shows no face in {tally.looked} {shots.unit}{why and f' ({why})'}.")
        write_table(folder / SKIPPED, [("file", "reason"), *tally.skipped])
    return Detected(config.out, shots.unit, tally.looked, tally.faces, rate, tally.reasons, shots.unread)


def _sinks(config: DetectConfig, folder: Path, finder: Finder, shots: Photos | Frames) -> list[Sink]:
    scheme = finder.detector.scheme
    sinks = [WRITERS[config.format](folder, scheme)]
    if config.draw:
        sinks.append(
            DrawnVideo(folder, scheme, shots.rate) if isinstance(shots, Frames) else DrawnPhotos(folder, scheme)
        )
    return sinks


def _look(shots: Photos | Frames, finder: Finder, sinks: list[Sink]) -> Tally:
    """Of a video each frame is kept, of photos those with a face."""
    tally = Tally()
    for shot in _until_stopped(shots):
        tally.looked += 1
        if not isinstance(shot, Shot):
            tally.skipped.append(shot)
            continue
        faces = finder(shot.pixels)
        tally.faces += len(faces)
        if not faces:
            tally.skipped.append((shot.name, NO_FACE))
        if faces or isinstance(shots, Frames):
            for sink in sinks:
                sink.add(shot, faces)
    for sink in sinks:
        sink.finish()
    return tally


def _until_stopped(shots: Photos | Frames) -> Iterator[Shot | tuple[str, str]]:
    """Each, with progress; Ctrl-C ends a camera, and what it has shown is kept."""
    over = False

    def stop() -> None:
        nonlocal over
        over = True

    camera = isinstance(shots, Frames) and shots.is_camera
    stopping = asking(stop, "the camera is off; what it has shown is written.") if camera else nullcontext()
    with stopping, progress("detect", shots.total, shots.unit) as advance:
        for shot in shots:
            yield shot
            advance(1)
            if over:
                return
