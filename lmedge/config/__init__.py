"""The options of every stage, once: the command line is made from these classes, and they land as JSON in
the run. A stage is `stage(config) -> Result`; an option stands here only if its stage reads it."""

from lmedge.bounds import require, require_seed, require_size, require_threads, require_whole, require_workers
from lmedge.config.about import DemoConfig, DoctorConfig, InfoConfig
from lmedge.config.datasets import StudyConfig, SynthesizeConfig
from lmedge.config.device import (
    BenchConfig,
    ExportConfig,
    InterpolateConfig,
    SampleConfig,
    ServeConfig,
    WebExportConfig,
)
from lmedge.config.faces import PrepareConfig, ToyConfig
from lmedge.config.options import (
    BundlePath,
    DatasetFolder,
    FacesPath,
    Precision,
    RunFolder,
    SchemeName,
    Stage,
    from_json,
    to_json,
)
from lmedge.config.training import (
    PRESETS,
    EvaluateConfig,
    InvertConfig,
    Preset,
    ReportConfig,
    TrainBeganConfig,
    TrainLgenConfig,
)
from lmedge.variants import InterpreterName, VariantName

# The verbs in order of use.
STAGES: dict[str, type[Stage]] = {
    "toy": ToyConfig,
    "prepare": PrepareConfig,
    "train-began": TrainBeganConfig,
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


__all__ = [
    "PRESETS", "STAGES", "BenchConfig", "BundlePath", "DatasetFolder", "DemoConfig", "DoctorConfig",
    "EvaluateConfig", "ExportConfig", "FacesPath", "InfoConfig", "InterpolateConfig", "InterpreterName", "InvertConfig",
    "Precision", "PrepareConfig", "Preset", "ReportConfig", "RunFolder", "SampleConfig", "SchemeName", "ServeConfig",
    "Stage", "StudyConfig", "SynthesizeConfig", "ToyConfig", "TrainBeganConfig", "TrainLgenConfig", "VariantName",
    "WebExportConfig", "from_json", "require", "require_seed", "require_size", "require_threads", "require_whole",
    "require_workers", "to_json",
]  # fmt: skip
