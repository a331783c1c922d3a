"""Options of what tells."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from lmedge.options import ModelName, Stage, Urls


@dataclass(frozen=True, kw_only=True)
class InfoConfig(Stage):
    """Say what a folder of lmedge or a .tflite file holds; of a bundle, that its files are whole.

    Example: lmedge info
    Example: lmedge info bundle --json
    """

    path: Positional[Annotated[Path | None, arg(metavar="[PATH]"), Urls()]] = None
    """Folder, also in an object store, file, or a model that comes with lmedge by its name. Default: that of
    --model."""
    model: ModelName = None
    """Model that comes with lmedge, where none is named. Default: reference."""
    json: bool = False
    """Print everything, as JSON."""


@dataclass(frozen=True, kw_only=True)
class DoctorConfig(Stage):
    """Say which versions, GPUs and interpreters are here, and what is missing for which verb."""


@dataclass(frozen=True, kw_only=True)
class CompletionConfig(Stage):
    """Print a script that completes verbs, options and files in your shell.

    For bash, put eval "$(lmedge completion bash)" into ~/.bashrc; for zsh, the same with zsh into ~/.zshrc.

    Example: lmedge completion bash
    """

    shell: Positional[Annotated[Literal["bash", "zsh"], arg(metavar="{bash,zsh}")]]
    """The shell."""
