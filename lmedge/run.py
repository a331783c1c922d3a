"""The folder that one experiment owns: its options, checkpoints, networks, latents and report."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from lmedge import __version__
from lmedge.errors import LmedgeError, UsageError
from lmedge.fetched import fetched, origin
from lmedge.keras_file import load_network
from lmedge.keras_model import Generator, KerasFaceModel
from lmedge.latent import LatentSpec
from lmedge.manifest import visible
from lmedge.options import Stage, read_values
from lmedge.owner import make_folder
from lmedge.progress import console
from lmedge.provenance import NOT_STATED, Provenance
from lmedge.regular import read_regular
from lmedge.scheme import Scheme
from lmedge.shipped import is_name, is_shipped, run_at
from lmedge.storage import check_form, read_json, write_json

LARGEST_LOG = 1 << 28  # bytes of log.jsonl: millions of lines
SCHEMA = 4  # 1 counted steps, not images; 2 knew one kind of generator; 3 named its landmark scheme
CONFIG_FORM = {"schema": int, "stages": dict, "versions": dict}
LGEN_FORM = {"provenance": dict, "held_out": {"nme": float, "faces": int, "failure_rate": float, "curve": dict},
             "mean_face_nme": float, "linear_nme": float}  # fmt: skip
VERB_OF = {"generator.keras": "train-gan", "lgen.keras": "train-lgen", "encoder.keras": "invert",
           "confidence.keras": "train-lgen", "point_confidence.keras": "train-lgen"}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Paths of a run and what is read from them. `Run.create` makes one, `Run.open` wants one."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Run":
        """The run in `path`, made if the folder is absent or empty. Raises UsageError for other folders, and for the
        name of a model that comes with lmedge. One in an object store only while that is kept, see `lmedge.kept`."""
        if is_name(path):
            raise UsageError(f"--run {path} is what a model is called that comes with lmedge; name another folder.")
        path = fetched(path)
        if path.exists() and not path.is_dir():
            raise UsageError(f"--run {path} is a file; name a folder.")
        run = cls(path)
        run.refuse_shipped()
        if not run.config_file.exists():
            if path.is_dir() and visible(path):
                raise UsageError(f"--run {path} holds other things and no config.json; name another folder.")
            make_folder(path, Path(f"--run {path}"))
            write_json(run.config_file, {"schema": SCHEMA, "versions": {"lmedge": __version__}, "stages": {}})
        return cls.open(path)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """The run in `path`, or of a model that comes with lmedge by its name. Raises UsageError where it is none,
        LmedgeError for another version's."""
        run = cls(run_at(path))
        if not run.config_file.is_file():
            raise UsageError(f"{run} is not a run (no config.json); `lmedge train-gan` makes one.")
        schema = read_json(run.config_file, "a run made by `lmedge train-gan`").get("schema")
        if schema != SCHEMA:
            raise LmedgeError(
                f"{run.config_file} has schema {schema!r}, this version reads {SCHEMA}; name another --run, or go on "
                "with the lmedge that made it."
            )
        return run

    def __str__(self) -> str:
        """What the user calls it: of a run in an object store its URL."""
        return str(origin(self.path))

    @property
    def shipped(self) -> bool:
        """Does it come with lmedge? Then nothing is written into it."""
        return is_shipped(self.path)

    def refuse_shipped(self, instead: str = "") -> None:
        """For who wants to write into it. Raises UsageError for the run that comes with lmedge; `instead` is what else
        can be done than to copy it."""
        if self.shipped:
            raise UsageError(
                f"{self.path} comes with lmedge and is never written to; copy it (cp -r {self.path} my-run) and name "
                f"the copy{instead}."
            )

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def log_file(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def generator_file(self) -> Path:
        return self.path / "generator.keras"

    @property
    def lgen_file(self) -> Path:
        return self.path / "lgen.keras"

    @property
    def encoder_file(self) -> Path:
        return self.path / "encoder.keras"

    @property
    def lgen_metrics_file(self) -> Path:
        return self.path / "lgen.json"

    @property
    def latents(self) -> Path:
        return self.path / "latents"

    @property
    def generated(self) -> Path:
        return self.path / "generated"

    @property
    def confidence_file(self) -> Path:
        return self.path / "confidence.keras"

    @property
    def point_confidence_file(self) -> Path:
        return self.path / "point_confidence.keras"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.json"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def config(self) -> dict[str, Any]:
        """What config.json holds."""
        config = read_json(self.config_file, "a run made by `lmedge train-gan`", CONFIG_FORM)
        if "dataset" in config:
            check_form(config, {"dataset": dict}, str(self.config_file), "a run")
        check_form(config["stages"], dict.fromkeys(config["stages"], dict), str(self.config_file), "a run")
        return config

    @property
    def scheme(self) -> Scheme:
        """The landmark scheme of the faces that the run began with. Raises LmedgeError in one that has no faces yet."""
        dataset = self.config().get("dataset", {})
        if "scheme" not in dataset:
            raise LmedgeError(f"{self} does not say which landmarks its faces have; run `lmedge train-gan` first.")
        return Scheme.from_json(dataset["scheme"], f"{self.config_file}, 'dataset'")

    @property
    def provenance(self) -> Provenance:
        """Where photos and landmarks came from that the run began with. Raises LmedgeError for a damaged record."""
        dataset = self.config().get("dataset")
        if dataset is None:
            return Provenance(NOT_STATED, "")
        return Provenance.from_json(dataset.get("provenance"), f"{self.config_file}, 'dataset',")

    @property
    def latent(self) -> LatentSpec:
        """What the generator draws from. Raises LmedgeError where no generator was trained, and where latents ask for
        other landmarks than the faces have."""
        config = self.config()
        if "latent" not in config:
            raise LmedgeError(f"{self.config_file} does not say what latents are; run `lmedge train-gan` first.")
        latent = LatentSpec.from_json(config["latent"], str(self.config_file))
        asked = None if latent.shape is None else latent.shape.shapes
        if asked is not None and asked.points != self.scheme.count:
            raise LmedgeError(
                f"{self.config_file} says that latents ask for {asked.points} landmarks, and that faces have "
                f"{self.scheme}; run `lmedge train-gan` in another run."
            )
        return latent

    def stage(self, verb: str, kind: type[Stage]) -> dict[str, Any]:
        """The options with which `verb` was last run here, as JSON has them, or {}. Raises UsageError for values that
        `kind`, the options of the verb, do not take."""
        options = self.config()["stages"].get(verb, {})
        known = get_type_hints(kind)
        read_values(kind, {k: v for k, v in options.items() if k in known}, self.config_file)
        return options

    def record(self, verb: str, options: dict[str, Any], **about: Any) -> None:
        """Notes the resolved options of a stage, and facts such as versions, in config.json."""
        config = self.config()
        config["stages"][verb] = options
        for name, value in about.items():
            config[name] = {**config.get(name, {}), **value} if isinstance(value, dict) else value
        write_json(self.config_file, config)

    def log(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl that hold the means of some steps."""
        return [line for line in self.journal() if "learning_rate" in line]

    def journal(self) -> list[dict[str, Any]]:
        """All lines of log.jsonl: means of some steps, diversity, distances, events. One that was cut short by a kill
        is left out, and so is, with a note, one that was damaged."""
        if not self.log_file.exists():
            return []
        lines = []
        texts = read_regular(self.log_file, LARGEST_LOG).decode(errors="replace").split("\n")
        for number, text in enumerate(texts, 1):
            if (line := _log_line(text)) is not None:
                lines.append(line)
            elif text and number < len(texts):
                console.print(f"{self.log_file}, line {number} is damaged and left out")
        return lines

    def lgen_metrics(self) -> dict[str, Any]:
        """What `train-lgen` measured. Raises LmedgeError in a run without an L-Gen."""
        return read_json(self.lgen_metrics_file, "the record of `lmedge train-lgen`", LGEN_FORM)

    @property
    def lgen_provenance(self) -> Provenance:
        """Whose landmarks L-Gen gives, and of which photos. Raises LmedgeError in a run without an L-Gen."""
        return Provenance.from_json(self.lgen_metrics()["provenance"], str(self.lgen_metrics_file))

    def training(self) -> dict[str, Any]:
        """What bundles and datasets say of how it was trained. Raises LmedgeError for one without L-Gen."""
        dataset = self.config().get("dataset", {})
        return {
            "faces": dataset.get("count"),
            "source": dataset.get("made_by"),
            "licence": self.lgen_provenance.licence,
            # A run without its log is one that comes with lmedge, or was copied without: what was asked for was done.
            "kimg": (self.log() or [self.config()["stages"].get("train-gan", {})])[-1].get("kimg"),
            "held_out_nme": self.lgen_metrics()["held_out"]["nme"],
        }

    def face_model(self) -> KerasFaceModel:
        """Its networks, as one. Raises LmedgeError without a generator or an L-Gen."""
        generator, lgen = Generator(self.generator(), self.latent), self.lgen()
        return KerasFaceModel(
            generator, lgen, self.confidence(), self.point_confidence(), scheme=self.scheme,
            provenance=self.lgen_provenance, name=self.path.resolve().name, training=self.training(),
        )  # fmt: skip

    def generator(self) -> Any:
        """The averaged generator, float32. Raises LmedgeError without one, and for one that takes other latents than
        those that the run draws."""
        network = self._network(self.generator_file)
        if network.input_shape[-1] != self.latent.size:
            raise LmedgeError(
                f"{self.generator_file} takes latents of {network.input_shape[-1]} numbers, and {self.config_file} "
                f"says {self.latent}; run `lmedge train-gan` in another run."
            )
        return network

    def lgen(self) -> Any:
        """L-Gen, z -> normalised landmarks `[B, K, 2]`. Raises LmedgeError without one, and for another network."""
        return self._of_latents(self.lgen_file, self.scheme.count, 2)

    def confidence(self) -> Any | None:
        """The network that says how sure L-Gen is, z -> 0..1 `[B, 1]`; None in a run without one."""
        return self._of_latents(self.confidence_file, 1) if self.confidence_file.exists() else None

    def point_confidence(self) -> Any | None:
        """The network that says how sure it is of each point, z -> 0..1 `[B, K]`; None in a run without one."""
        return self._of_latents(file, self.scheme.count) if (file := self.point_confidence_file).exists() else None

    def encoder(self) -> Any:
        """The encoder, face -> z, that `invert` starts from. Raises LmedgeError without one."""
        return self._network(self.encoder_file)

    def _of_latents(self, path: Path, *shape: int) -> Any:
        """A network z -> `[B, *shape]`. Raises LmedgeError where the file holds another one."""
        network, size = self._network(path), self.latent.size
        if network.input_shape != (None, size) or network.output_shape != (None, *shape):
            raise LmedgeError(
                f"{path} maps {network.input_shape} to {network.output_shape}, and in this run it is "
                f"{(None, size)} to {(None, *shape)}; train L-Gen again."
            )
        return network

    def _network(self, path: Path) -> Any:
        if not path.exists():
            verb = VERB_OF[path.name]
            raise LmedgeError(f"{self} has no {path.name}; run `lmedge {verb}` first.")
        network = load_network(path)
        if not all(np.isfinite(weights).all() for weights in network.get_weights()):
            raise LmedgeError(f"{path} has weights that are not finite; run `lmedge {VERB_OF[path.name]}` again.")
        return network


def _log_line(text: str) -> dict[str, Any] | None:
    """A line of log.jsonl, or None for what is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(line, dict) and all(isinstance(line.get(name), int | float) for name in ("step", "kimg"))
    return line if whole else None
