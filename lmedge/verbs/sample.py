"""`lmedge sample`."""

from pathlib import Path
from typing import TYPE_CHECKING

from lmedge.printable import print_text as print
from lmedge.runtime.options import SampleConfig
from lmedge.verb import INTERPRETER, Verb

if TYPE_CHECKING:
    from lmedge.landmarks import Array
    from lmedge.runtime import FaceSampler


def run(config: SampleConfig) -> None:
    from lmedge.runtime.gallery import sample

    result = sample(config, _landmarks_like)
    sampler = result.sampler
    how = f"{sampler.variant} on {sampler.interpreter}"
    print(f"{result.count} faces in {result.out} ({how}); {result.out}/contact.png shows some.")


def _landmarks_like(photo: Path, sampler: "FaceSampler") -> "Array":
    """Of --like. Imported only for it, as a board has none of what looks at photos."""
    from lmedge.errors import UsageError
    from lmedge.installation import remedy

    try:
        from lmedge.faces.one_photo import landmarks_in

        return landmarks_in(photo, sampler)
    except ModuleNotFoundError as missing:
        name = missing.name or "a module"
        raise UsageError(
            f"--like {photo}: {name} is not installed here, which looks for the face; {remedy(name)}, or give its "
            "landmarks with --pts."
        ) from None


VERB = Verb("sample", SampleConfig, run, needs=(INTERPRETER,))
