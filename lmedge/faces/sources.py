"""Which photos there are: folders searched at any depth, single files, and their group keys."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.attributes import AttributeTable, Values
from lmedge.faces.decoding import SUFFIXES
from lmedge.faces.photo import gone
from lmedge.manifest import MANIFEST, SWAP
from lmedge.progress import console
from lmedge.regular import read_regular
from lmedge.url import Url

LARGEST_GROUPS = 1 << 28  # bytes of the file of --groups: lines of millions of photos
DATASET, RUN = "a dataset of lmedge", "a run of lmedge"


@dataclass(frozen=True)
class Source:
    """A photo: where it is, the name it goes by in the dataset, its group, and the values of its attributes, in a
    dataset that has some."""

    path: Path
    name: str
    group: str
    attributes: Values | None = None


def find_photos(
    places: tuple[Path, ...], groups: Path | None, attributes: AttributeTable | None = None
) -> list[Source]:
    """The photos in `places` (files, or folders of any depth), sorted by name.

    A photo's name is its path below the folder that was given, after the folder's own name where several
    were given. Folders that lmedge made, and those that may not be read, are left out and said.
    Raises UsageError where a place is missing, there is no photo, two share a name, or a file names none of them.
    """
    group_of = read_groups(groups) if groups else {}
    found: dict[str, Source] = {}
    for place in places:
        if place.is_dir():
            paths = _photos_below(place)
            names = [printable(p.relative_to(place)) for p in paths]
            if len(places) > 1:
                names = [f"{printable(Path(place.resolve().name))}/{name}" for name in names]
        elif place.is_file():
            paths, names = [place], [printable(Path(place.name))]
        else:
            raise UsageError(f"{place} does not exist; name photos or folders of photos.")
        for path, name in zip(paths, names, strict=True):
            if name in found:
                raise UsageError(f"{path} and {found[name].path} would both be {name!r}; rename a folder.")
            group = group_of.get(name, group_of.get(name.rpartition("/")[2], name))
            found[name] = Source(path, name, group, attributes.of(name) if attributes else None)
    if not found:
        where = ", ".join(map(str, places))
        raise UsageError(f"no photo in {where}; looked for {' '.join(sorted(SUFFIXES))} at any depth.")
    if groups and all(s.group == s.name for s in found.values()):
        raise UsageError(f"--groups {groups} names none of the {len(found)} photos; expected `photo group`.")
    if attributes:
        attributes.refuse_strangers(found)
    return [found[name] for name in sorted(found)]


def printable(path: Path) -> str:
    """The path as UTF-8; bytes of a file name that are none as `\\xe9`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _photos_below(place: Path) -> list[Path]:
    if isinstance(place, Url):
        return _objects_below(place)
    paths: list[Path] = []

    def unreadable(error: OSError) -> None:
        folder = Path(error.filename)
        if folder == place:
            raise LmedgeError(f"{place} cannot be read ({error.strerror}).")
        if not isinstance(error, PermissionError):
            raise gone(folder, error)
        console.print(f"{printable(folder)} may not be read, its photos are left out", markup=False)

    for name, folders, files in os.walk(place, onerror=unreadable):
        folder = Path(name)
        kind = _made_by_lmedge({*folders, *files})
        if kind in (DATASET, RUN) and folder == place:
            raise UsageError(f"{place} is {kind}; name photos or folders of photos.")
        if kind and folder != place:
            if folder.name[0] != ".":  # half-made ones are hidden
                console.print(f"{printable(folder)} is {kind}, its pictures are left out", markup=False)
            folders.clear()
            continue
        paths += [path for file in files if (path := folder / file).suffix.lower() in SUFFIXES and path.is_file()]
    return paths


def _objects_below(place: Url) -> list[Path]:
    """As those of a folder; where lmedge made a part of it, that is said, and it has no photos."""
    found, inside = place.below(), dict[Path, set[str]]()
    for path in found:
        names = path.relative_to(place).parts
        for depth, name in enumerate(names):
            inside.setdefault(place.joinpath(*names[:depth]), set()).add(name)
    made = {folder: kind for folder, names in inside.items() if (kind := _made_by_lmedge(names))}
    if made.get(place) in (DATASET, RUN):
        raise UsageError(f"{place} is {made[place]}; name photos or folders of photos.")
    made.pop(place, None)
    for folder, kind in made.items():
        console.print(f"{folder} is {kind}, its pictures are left out", markup=False)
    return [path for path in found if path.suffix.lower() in SUFFIXES and not made.keys() & set(path.parents)]


def _made_by_lmedge(names: set[str]) -> str | None:
    """What a folder that holds these names is, where lmedge made it: its pictures are no photos."""
    if names & {"dataset.json", ".parts"}:
        return DATASET
    if names >= {"config.json", "checkpoints"}:
        return RUN
    return "a folder that lmedge made" if names & {MANIFEST, SWAP} else None


def read_groups(path: Path) -> dict[str, str]:
    """Lines `photo group` -> {photo: group}. Raises LmedgeError on a line of another form."""
    groups = {}
    try:
        lines = read_regular(path, LARGEST_GROUPS).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LmedgeError(f"--groups {path} cannot be read ({error}).") from None
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) == 2:
            groups[words[0]] = words[1]
        elif words:
            raise LmedgeError(f"--groups {path}, line {number}: {line!r} is not `photo group`.")
    return groups


def fingerprint(sources: Sequence[Source]) -> str:
    """A hash of names, groups and file sizes: does a half-written dataset belong to the same photos?
    Raises LmedgeError for photos that have gone away."""
    digest = hashlib.sha256()
    for source in sources:
        try:
            size = source.path.stat().st_size
        except OSError as error:
            raise gone(source.path, error) from None
        digest.update(f"{source.name}\0{source.group}\0{size}\n".encode())
    return digest.hexdigest()
