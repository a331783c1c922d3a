"""`lmedge export`."""

from convert.options import ExportConfig
from lmedge.printable import print_text as print
from lmedge.verb import Verb


def run(config: ExportConfig) -> None:
    from convert.stage import export_run
    from lmedge.bench.bench import measured
    from lmedge.bench.summary import show

    bundle = export_run(config)
    show(measured(bundle, threads=(1,), seconds=0.3))
    print(f"bundle in {bundle.path}; next: lmedge sample {bundle.path} --out faces")


VERB = Verb("export", ExportConfig, run, ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization"))
