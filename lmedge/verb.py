"""A verb of the command line: what it is called, what it takes, what it does, and what it needs."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from lmedge.errors import UsageError
from lmedge.options import Stage

# Distributions that the extras bring.
TRAIN = ("tensorflow", "keras", "tf_keras", "tensorflow-model-optimization", "mediapipe", "opencv-contrib-python",
         "jinja2", "matplotlib")  # fmt: skip
DATASETS = ("fpng",)
# What is needed, and is no single distribution.
INTERPRETER = "a TFLite interpreter"
LITERT_JS = "LiteRT.js"


def _as_they_are(options: Any) -> Any:
    return options


@dataclass(frozen=True)
class Choice:
    """An option whose word chooses the class of the others, as `--family began` does.

    `words` are those that it takes; `kind(words)` is the class that a command line is read with, which derives from the
    verb's `options`.
    """

    option: str
    words: Callable[[], Collection[str]]
    kind: Callable[[list[str]], type[Stage]]


@dataclass(frozen=True)
class Verb:
    """`lmedge NAME`, whose first line of help, examples and options are those of the class `options`.

    `run(options)` calls the stage and prints its result. What the stage imports is imported there and nowhere else in
    the file, so that `lmedge --help` and `lmedge sample` start at once. `needs` are distributions, INTERPRETER or
    LITERT_JS; TensorFlow is loaded before `run` where it is among them. `resolve(options)` fills in what the stage
    would, for --dry-run. Where a `choice` adds options, `options` has those that all share. `moved`: an option that a
    reader may remember -> what does its work now.
    """

    name: str
    options: type[Stage]
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()
    resolve: Callable[[Any], Any] = _as_they_are
    choice: Choice | None = None
    moved: Mapping[str, str] = field(default_factory=dict)

    @property
    def trains(self) -> bool:
        """Does it need TensorFlow?"""
        return "tensorflow" in self.needs

    @property
    def summary(self) -> str:
        """The first line of its help."""
        return (self.options.__doc__ or "").splitlines()[0]

    def refuse_moved(self, words: list[str]) -> None:
        """Raises UsageError for an option that stands elsewhere now."""
        for option in (word.split("=")[0] for word in words):
            if option in self.moved:
                raise UsageError(f"lmedge {self.name} has no {option}; {self.moved[option]}.")

    def kind(self, words: list[str]) -> type[Stage]:
        """The class of its options, with these words after its name."""
        return self.choice.kind(words) if self.choice else self.options

    def kinds(self) -> dict[tuple[str, ...], type[Stage]]:
        """Every class of its options, by the words that choose it: none where there is but one."""
        if self.choice is None:
            return {(): self.options}
        return {words: self.kind([*words]) for words in ((self.choice.option, word) for word in self.choice.words())}
