"""The command line: one verb a stage. It parses, calls the stage, prints the result; stages are imported only
when their verb runs, so that `lmedge --help` and `lmedge sample` start at once."""

import difflib
import errno
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

from lmedge import __version__
from lmedge.errors import LmedgeError, UsageError
from lmedge.quiet import load_tensorflow, set_variables

# Verbs that need TensorFlow.
TRAINING_VERBS = ("toy", "prepare", "train-began", "invert", "train-lgen", "evaluate", "export", "study", "demo")


def main(argv: list[str] | None = None) -> int:
    """Runs a command line; returns its exit code: 0, 1 for a failed run, 2 for a wrong call."""
    argv = sys.argv[1:] if argv is None else argv
    set_variables()
    debug = "--debug" in argv
    try:
        return _main(argv)
    except LmedgeError as error:
        if debug:
            traceback.print_exc()
        return _refuse(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _refuse("stopped; what was finished is kept, and the same command goes on from there.", 130)
    except BrokenPipeError:
        return 141
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _refuse(*_outside_our_hands(error))


def _refuse(sentence: str, code: int) -> int:
    print(f"lmedge: {sentence}", file=sys.stderr)
    return code


def _outside_our_hands(error: Exception) -> tuple[str, int]:
    """A sentence for what no stage foresees: the disk, permissions, memory, a missing extra, a bug."""
    text = str(error)
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in text:
        name = getattr(error, "filename", None)
        where = f" while writing {name}" if name else ""
        return f"the disk is full{where}; free some space and run the same command again to go on.", 1
    if isinstance(error, PermissionError):
        return f"no permission to use {error.filename}; choose a folder that you may write.", 1
    if isinstance(error, OSError) and error.errno in (errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        return f"{error.filename} cannot be made ({error.strerror}); choose a folder that you may write.", 1
    if isinstance(error, ModuleNotFoundError):
        of_train = ("tensorflow", "keras", "cv2", "mediapipe", "jinja2")
        extra = "train" if error.name in of_train else "datasets" if error.name == "fpng" else "litert"
        return f"{error.name} is not installed and this verb needs it; pip install 'lmedge[{extra}]'.", 1
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "out of memory; lower --batch or the number of workers.", 1
    first = text.splitlines()[0][:300] if text else "no message"
    return f"failed with {type(error).__name__}: {first} (add --debug for the traceback).", 1


def _main(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"lmedge {__version__}")
        return 0
    verb, rest = argv[0], argv[1:]
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1)
        hint = f"did you mean {near[0]}?" if near else f"take one of {', '.join(VERBS)}."
        raise UsageError(f"there is no verb {verb!r}; {hint}")
    import tyro

    from lmedge.config import STAGES, to_json

    try:
        config = tyro.cli(STAGES[verb], prog=f"lmedge {verb}", args=rest, config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as stop:  # --help, or options that do not parse; tyro has said which
        return int(stop.code or 0)
    if verb in TRAINING_VERBS:
        load_tensorflow()
    if config.dry_run:
        print(json.dumps(to_json(_resolved(verb, config)), indent=2))
        return 0
    VERBS[verb](config)
    return 0


def _resolved(verb: str, config: Any) -> Any:
    """The options with everything filled in that the stage would fill in."""
    if verb == "train-began":
        from lmedge.gan.train import picked, resolve

        for what, text in picked(config):
            print(f"{what:<20} {text}", file=sys.stderr)
        return resolve(config)
    if verb == "invert":
        from lmedge.inversion.invert import resolve as resolve_invert

        return resolve_invert(config)
    return config


def _overview() -> str:
    from lmedge.config import STAGES

    width = max(map(len, STAGES))
    lines = [f"  {verb:<{width}}  {(kind.__doc__ or '').splitlines()[0]}" for verb, kind in STAGES.items()]
    return "\n".join(
        ["usage: lmedge VERB [options]", "",
         "Train a small face generator that also says where the landmarks are, and run it on a phone.", "",
         "verbs, in order of use:", *lines, "",
         "`lmedge VERB --help` explains a verb. `lmedge demo` shows all of it on drawn faces."]
    )  # fmt: skip


def _toy(config: Any) -> None:
    from lmedge.faces.toy import toy

    result = toy(config)
    print(f"{result.count} faces in {result.path}; {result.path}/contact.png shows some.")


def _prepare(config: Any) -> None:
    from lmedge.faces.prepare import prepare

    result = prepare(config)
    rejected = sum(result.rejected.values())
    share = result.count / (result.count + rejected)
    rate = f", {result.per_second:.1f} photos/s" if result.per_second else ""
    print(f"kept {result.count} of {result.count + rejected} photos ({share:.1%}) in {result.path}{rate}")
    for reason, number in result.rejected.items():
        print(f"  {number:6}  {reason}")
    print(f"{result.path}/contact.png shows some of them, {result.path}/rejected.csv lists the others.")


def _train_began(config: Any) -> None:
    from lmedge.gan.devices import take_threads
    from lmedge.gan.train import train_began

    take_threads()
    result = train_began(config)
    rate = f", {result.images_per_second:.1f} images/s" if result.images_per_second else ""
    print(f"{result.kimg:g} kimg{rate}; samples in {result.run.samples}, next: lmedge invert {result.run.path} DATASET")


def _invert(config: Any) -> None:
    if config.self_test:
        from lmedge.inversion.recovery import self_test

        found = self_test(config)
        print(f"{found.recovered:.1%} of {config.self_test} generated faces were found: latent and image; "
              f"{found.images_recovered:.1%} the image")  # fmt: skip
    elif config.faces is not None and config.faces.is_file():
        from lmedge.inversion.photo import invert_photo

        photo = invert_photo(config)
        points = "" if photo.nme is None else f", landmarks NME {photo.nme:.1%} against Face Mesh"
        fits = "" if photo.fits else "; the generator cannot draw this face"
        quality = f"PSNR {photo.psnr:.1f} dB, {photo.explained:.0%} of the variance explained"
        print(f"{quality}{points}{fits}: {photo.picture}")
    else:
        import numpy as np

        from lmedge.inversion.invert import invert

        latents = invert(config)
        low, middle, high = np.percentile(latents.psnr, (5, 50, 95))
        print(f"{len(latents)} faces inverted; PSNR median {middle:.1f} dB, 5 % below {low:.1f}, 5 % above {high:.1f}; "
              f"{(~latents.fits).sum()} that the generator cannot draw are marked")  # fmt: skip


def _train_lgen(config: Any) -> None:
    from lmedge.lgen.train import train_lgen

    metrics = train_lgen(config).metrics
    held = metrics["held_out"]
    print(
        f"held-out NME {held['nme']:.2%} (median {held['nme_median']:.2%}, failures {held['failure_rate']:.1%}) "
        f"on {held['faces']} faces; the mean face has {metrics['mean_face_nme']:.2%}"
    )


def _evaluate(config: Any) -> None:
    from lmedge.evaluation.evaluate import evaluate

    result = evaluate(config)
    for name, value in result.lines:
        print(f"{name:<42} {value}")
    print(f"report: {result.run.report / 'index.html'}")


def _report(config: Any) -> None:
    from lmedge.evaluation.report import report

    print(f"report: {report(config)}")


def _export(config: Any) -> None:
    from convert.stage import export_run
    from lmedge.bench import bench
    from lmedge.config import BenchConfig

    bundle = export_run(config)
    _show(bench(BenchConfig(bundle=bundle.path, threads=(1,), seconds=0.3, face_mesh=False)))
    print(f"bundle in {bundle.path}; next: lmedge sample {bundle.path} --out faces")


def _bench(config: Any) -> None:
    from lmedge.bench import bench

    _show(bench(config))
    if config.out:
        print(f"figures in {config.out}")


def _show(result: Any) -> None:
    from rich.console import Console

    from lmedge.bench import conclusions, table

    # A table is not folded where it goes into a file.
    wide = Console(highlight=False)
    Console(highlight=False, width=max(wide.width, 160)).print(table(result))
    for line in conclusions(result):
        print(line)


def _sample(config: Any) -> None:
    from lmedge.runtime.gallery import sample

    result = sample(config)
    sampler = result.sampler
    print(f"{result.count} faces in {result.out} ({sampler.variant} on {sampler.interpreter}); see contact.png")


def _interpolate(config: Any) -> None:
    from lmedge.runtime.gallery import interpolate

    result = interpolate(config)
    print(f"{result.count} faces in {result.out}")


def _web_export(config: Any) -> None:
    from lmedge.web.export import web_export

    result = web_export(config)
    print(f"{result.out}/index.html with {result.variant}, {result.bytes / 1e6:.0f} MB; put it on any web host, or "
          f"lmedge serve {result.out}")  # fmt: skip


def _serve(config: Any) -> None:
    from lmedge.web.serve import serve

    serve(config)


def _synthesize(config: Any) -> None:
    from lmedge.datasets.synthesize import synthesize

    result = synthesize(config)
    rate = f", {result.per_second:.0f} faces/s" if result.per_second else ""
    print(f"{result.count} faces ({result.count / result.drawn:.1%} of those drawn) in {result.out}{rate}")
    print(f"{result.out}/contact.png shows some, {result.out}/README.md says where they are from.")


def _study(config: Any) -> None:
    from lmedge.study.report import answer
    from lmedge.study.study import study

    result = study(config)
    for (arm, amount), found in sorted(result.errors.items(), key=lambda item: item[0][1]):
        print(f"{amount:6} real faces  {arm:<30} NME {found}")
    for line in answer(result):
        print(line)
    print(f"report: {result.out / 'index.html'}")


def _info(config: Any) -> None:
    from lmedge.info import info

    facts = info(config)
    if config.json:
        print(json.dumps(facts, indent=2))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        text = json.dumps(value) if isinstance(value, dict | list) else value
        print(f"{name:<{width}}  {text}")


def _doctor(config: Any) -> None:
    from lmedge.doctor import doctor

    for line in doctor():
        print(line)


def _demo(config: Any) -> None:
    from lmedge.demo import demo

    demo(config)


VERBS: dict[str, Callable[[Any], None]] = {
    "toy": _toy,
    "prepare": _prepare,
    "train-began": _train_began,
    "invert": _invert,
    "train-lgen": _train_lgen,
    "evaluate": _evaluate,
    "report": _report,
    "export": _export,
    "sample": _sample,
    "interpolate": _interpolate,
    "synthesize": _synthesize,
    "study": _study,
    "serve": _serve,
    "web-export": _web_export,
    "bench": _bench,
    "info": _info,
    "doctor": _doctor,
    "demo": _demo,
}
