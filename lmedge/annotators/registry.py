"""Which annotators there are, by name. Their modules are imported when one is asked for: options name them too, also
where OpenCV and MediaPipe are not installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from lmedge.errors import UsageError
from lmedge.scheme import IBUG49, Scheme

if TYPE_CHECKING:
    from lmedge.annotators.annotator import Annotator
    from lmedge.provenance import Provenance

_HOMES = {"mediapipe": ("face_mesh", "FaceMesh"), "pts": ("pts", "Pts"), "drawn": ("drawn", "Drawn")}
_REGISTERED: dict[str, Callable[[], Annotator]] = {}


def register(kind: type[Annotator]) -> type[Annotator]:
    """Makes an annotator known by its name; to stand above its class. Raises UsageError for a name that is taken."""
    if kind.name in names() and _REGISTERED.get(kind.name) is not kind:
        raise UsageError(f"there is an annotator {kind.name} already; give yours another name.")
    _REGISTERED[kind.name] = kind
    return kind


def names() -> tuple[str, ...]:
    """Of all annotators, first those that come with lmedge."""
    return (*_HOMES, *_REGISTERED)


def refuse_unknown(option: str, name: str) -> None:
    """Raises UsageError, which names the `option`, for a name that no annotator has."""
    if name not in names():
        raise UsageError(f"{option} {name}: there is none of this name; take one of {', '.join(names())}.")


def annotator_named(name: str) -> Annotator:
    """The annotator of this name. Raises UsageError, ModuleNotFoundError where what it needs is not installed."""
    refuse_unknown("annotator", name)
    if name in _REGISTERED:
        return _REGISTERED[name]()
    module, kind = _HOMES[name]
    return getattr(import_module(f"lmedge.annotators.{module}"), kind)()


def looking(provenance: Provenance, scheme: Scheme) -> tuple[Annotator, Scheme]:
    """Who says where the landmarks of generated faces are, by a generator that learnt from faces of `provenance`: their
    own annotator, or Face Mesh where it needs more than pixels, is not known here or cannot place the points of
    `scheme`. And which points: those of `scheme`, or where Face Mesh cannot place them either iBUG's 49, which tell all
    the same where a face is and whether two are alike."""
    name = provenance.origin.annotator
    own = annotator_named(name) if name in names() else None
    if own is not None and own.looks and own.gives(scheme):
        return own, scheme
    mesh = annotator_named("mediapipe")
    return mesh, scheme if mesh.gives(scheme) else IBUG49
