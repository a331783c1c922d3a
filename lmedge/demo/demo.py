"""The `demo` stage: every verb in turn on drawn faces."""

import time
from pathlib import Path

from convert.options import ExportConfig
from lmedge.demo.options import DemoConfig
from lmedge.errors import UsageError
from lmedge.evaluation.options import EvaluateConfig
from lmedge.faces.options import ToyConfig
from lmedge.gan.families.relativistic.options import RelativisticConfig
from lmedge.growing import growing_folder
from lmedge.inversion.options import InvertConfig
from lmedge.lgen.options import TrainLgenConfig
from lmedge.progress import clock, console
from lmedge.runtime.bundle import BUNDLE_FILE
from lmedge.runtime.options import InterpolateConfig, SampleConfig
from lmedge.storage import read_json, write_json

MARKER = "demo.json"
ENTRIES = (MARKER, "toys", "run", "bundle", "samples", "interpolation.png")


def demo(config: DemoConfig) -> Path:
    """Runs toy, train-gan, invert, train-lgen, evaluate, export, sample and interpolate below
    `config.out`; a stage that is finished is not run again. Returns the report."""
    with growing_folder(config.out, "a demo", ENTRIES, config.overwrite):
        return _demo(config)


def _demo(config: DemoConfig) -> Path:
    out = config.out
    _claim(config)
    dataset, run, bundle, samples = out / "toys", out / "run", out / "bundle", out / "samples"
    strip = out / "interpolation.png"
    start = time.monotonic()

    def say(text: str) -> None:
        console.print(f"{clock(time.monotonic() - start)}  {text}", style="bold")

    from convert.stage import export_run
    from lmedge.evaluation.evaluate import evaluate
    from lmedge.faces.toy import toy
    from lmedge.gan.train import train_gan
    from lmedge.inversion.invert import invert
    from lmedge.lgen.train import train_lgen
    from lmedge.runtime.gallery import interpolate, sample

    if not (dataset / "dataset.json").exists():
        say(f"drawing {config.count} faces with exact landmarks")
        toy(ToyConfig(out=dataset, count=config.count))
    say("training the generator (a relativistic GAN)")
    train_gan(training(config, dataset, run))
    say("finding the latent of every face")
    invert(InvertConfig(run=run, faces=dataset, count=config.inverted))
    say("learning landmarks from latents")
    steps = max(400, min(4000, config.inverted * 4 // 3))  # fewer faces need no more looks at each
    metrics = train_lgen(TrainLgenConfig(run=run, data="inverted", steps=steps)).metrics
    report = run / "report" / "index.html"
    if not report.exists():
        say("measuring, drawing the report")
        evaluate(EvaluateConfig(run=run, samples=min(300, config.count)))
    if not (bundle / BUNDLE_FILE).exists():
        say("exporting to TFLite")
        export_run(ExportConfig(run=run, out=bundle, variants=("fp32", "int8")))
    say("drawing faces with the TFLite interpreter")
    drawn = sample(SampleConfig(bundle=bundle, out=samples, overwrite=True))
    interpolate(InterpolateConfig(bundle=bundle, out=strip, overwrite=True))
    held = metrics["held_out"]["nme"]
    say(f"done: held-out NME {held:.2%} against exact points")
    print(f"faces drawn on the device side: {samples / 'contact.png'} ({drawn.sampler.variant} on "
          f"{drawn.sampler.interpreter})\nfrom one face to another:       {strip}\n"
          f"report:                         {report}")  # fmt: skip
    return report


def _claim(config: DemoConfig) -> None:
    """Marks the folder, or finds that it holds the same demo."""
    marker = config.out / MARKER
    options = {"count": config.count, "kimg": config.kimg, "inverted": config.inverted}
    if not marker.exists():
        write_json(marker, options)
        return
    for name, value in read_json(marker, "a demo").items():
        if options.get(name) != value:
            raise UsageError(
                f"--{name} is {options.get(name)} and {config.out} holds a demo with {value}; add --overwrite."
            )


def training(config: DemoConfig, dataset: Path, run: Path) -> RelativisticConfig:
    """Small networks that learn for minutes: an average over fewer steps. With a gamma of 1 drawn faces were at a
    Frechet distance of 1.5 after 80 kimg, with 0.1 at 2.3. Tried in float32 only."""
    return RelativisticConfig(
        dataset=dataset, run=run, preset="toy32", kimg=config.kimg, gamma=1.0, ema=0.995, precision="float32"
    )
