"""What each verb does: call its stage, print the result. A stage is imported only when its verb runs, so that
`lmedge --help` and `lmedge sample` start at once."""

import json
from collections.abc import Callable
from typing import Any

from convert.options import ExportConfig
from lmedge.about.options import DoctorConfig, InfoConfig
from lmedge.bench.options import BenchConfig
from lmedge.datasets.options import SynthesizeConfig
from lmedge.demo.options import DemoConfig
from lmedge.evaluation.options import EvaluateConfig, ReportConfig
from lmedge.faces.options import PrepareConfig, ToyConfig
from lmedge.gan.options import TrainGanConfig
from lmedge.inversion.options import InvertConfig
from lmedge.lgen.options import TrainLgenConfig
from lmedge.options import Stage
from lmedge.printable import print_text as print  # names and licences come from files of strangers
from lmedge.runtime.options import InterpolateConfig, SampleConfig
from lmedge.study.options import StudyConfig
from lmedge.web.options import ServeConfig, WebExportConfig

# Verbs that need TensorFlow.
TRAINING_VERBS = ("toy", "prepare", "train-gan", "invert", "train-lgen", "evaluate", "export", "study", "demo")


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


def _train_gan(config: Any) -> None:
    from lmedge.gan.devices import take_threads
    from lmedge.gan.train import train_gan

    take_threads()
    result = train_gan(config)
    rate = f", {result.images_per_second:.1f} images/s" if result.images_per_second else ""
    samples = f"samples in {result.run.samples}, " if result.run.samples.is_dir() else ""
    print(f"{result.kimg:g} kimg{rate}; {samples}next: lmedge invert {result.run.path} DATASET")


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
    print(f"report: {result.page / 'index.html'}")


def _report(config: Any) -> None:
    from lmedge.evaluation.report import report

    print(f"report: {report(config)}")


def _export(config: Any) -> None:
    from convert.stage import export_run
    from lmedge.bench.bench import bench
    from lmedge.bench.options import BenchConfig

    bundle = export_run(config)
    _show(bench(BenchConfig(bundle=bundle.path, threads=(1,), seconds=0.3, face_mesh=False)))
    print(f"bundle in {bundle.path}; next: lmedge sample {bundle.path} --out faces")


def _bench(config: Any) -> None:
    from lmedge.bench.bench import bench

    _show(bench(config))
    if config.out:
        print(f"figures in {config.out}")


def _show(result: Any) -> None:
    from rich.console import Console

    from lmedge.bench.bench import conclusions, table

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
    print(f"{result.out}/card/contact.png shows some, {result.out}/README.md says where they are from.")


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
    from lmedge.about.info import info
    from lmedge.about.summary import summary

    facts = info(config)
    print(json.dumps(facts, indent=2) if config.json else "\n".join(summary(facts)))


def _doctor(config: Any) -> None:
    from lmedge.about.doctor import doctor

    for line in doctor():
        print(line)


def _demo(config: Any) -> None:
    from lmedge.demo.demo import demo

    demo(config)


VERBS: dict[str, Callable[[Any], None]] = {
    "toy": _toy,
    "prepare": _prepare,
    "train-gan": _train_gan,
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

# The options of each, in order of use.
STAGES: dict[str, type[Stage]] = {
    "toy": ToyConfig,
    "prepare": PrepareConfig,
    "train-gan": TrainGanConfig,
    "invert": InvertConfig,
    "train-lgen": TrainLgenConfig,
    "evaluate": EvaluateConfig,
    "report": ReportConfig,
    "export": ExportConfig,
    "sample": SampleConfig,
    "interpolate": InterpolateConfig,
    "synthesize": SynthesizeConfig,
    "study": StudyConfig,
    "serve": ServeConfig,
    "web-export": WebExportConfig,
    "bench": BenchConfig,
    "info": InfoConfig,
    "doctor": DoctorConfig,
    "demo": DemoConfig,
}
