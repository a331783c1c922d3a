"""Which versions made a file."""

import importlib.metadata

from lmedge import __version__


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of lmedge and these packages, for dataset.json and config.json."""
    return {"lmedge": __version__, **{name: importlib.metadata.version(name) for name in packages}}
