"""The `label` stage: the page on which people place points, served on this machine."""

from functools import partial
from pathlib import Path

from lmedge.errors import UsageError
from lmedge.interrupt import asking
from lmedge.labelling.handler import Desk, LabelHandler
from lmedge.labelling.options import LabelConfig
from lmedge.labelling.session import Session
from lmedge.labels.folder import ABOUT_FILE, LabelFolder
from lmedge.labels.importing import take_over
from lmedge.owner import make_folder, owning
from lmedge.progress import console
from lmedge.run import Run
from lmedge.runtime import FaceSampler
from lmedge.runtime.face_model import FaceModel
from lmedge.shipped import run_at
from lmedge.web.serve import end, serving, until_stopped

PAGE = Path(__file__).parent / "page"


def label(config: LabelConfig) -> None:
    """Serves the page until it is stopped; see LabelConfig. Raises SystemExit then, UsageError and LmedgeError before
    for labels, schemes and models that do not belong together, and for a port that cannot be had."""
    there = (config.out / ABOUT_FILE).is_file()
    _check(config, there)
    desk = Desk()
    # Whoever has the port and the folder goes on: the model takes a while to load.
    with serving(PAGE, config.host, config.port, partial(LabelHandler, desk=desk)) as server:
        make_folder(config.out, config.out)
        with owning(config.out), asking(end, "stopped; every point that was placed is kept."):
            model = face_model(config.model)
            desk.session = Session(model, _labels(config, there, model), partial(LabelFolder.create, config.out, model))
            try:
                until_stopped(server)
            finally:
                desk.session.close()


def _labels(config: LabelConfig, there: bool, model: FaceModel) -> LabelFolder | None:
    """The labels to go on with, or new ones; None where their scheme is made on the page."""
    if not there:
        return None if config.scheme is None else LabelFolder.create(config.out, model, config.scheme)
    labels = LabelFolder.open(config.out)
    if config.scheme is not None:
        labels.refuse_other_scheme(config.scheme, "--scheme")
    labels.refuse_other_model(model.version, str(config.model))
    labels.settle()
    if config.take_over is not None:
        taken, stay = take_over(labels, config.take_over, config.replace)
        other = f"; {stay} that are placed elsewhere stay (--replace takes them over)" if stay else ""
        console.print(f"{config.take_over}: {taken} points taken over{other}")
    return labels


def _check(config: LabelConfig, there: bool) -> None:
    if config.scheme is not None and config.new_scheme:
        raise UsageError("--scheme and --new-scheme exclude each other; leave one of them out.")
    if not there and config.scheme is None and not config.new_scheme:
        raise UsageError(f"{config.out} has no labels yet; say --scheme FILE, or --new-scheme to make one on the page.")
    if not there and config.take_over is not None:
        raise UsageError(f"--take-over: {config.out} has no faces that somebody could have labelled; label some first.")
    if config.replace and config.take_over is None:
        raise UsageError("--replace belongs to --take-over, and nothing is taken over.")


def face_model(path: Path) -> FaceModel:
    """The model of a run, or of a bundle. Raises UsageError, LmedgeError."""
    run = run_at(path)
    return Run.open(run).face_model() if Run(run).config_file.is_file() else FaceSampler(path)
