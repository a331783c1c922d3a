"""Which photos there are: folders searched at any depth, single files, and their group keys."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lmedge.errors import LmedgeError, UsageError
from lmedge.faces.photo import SUFFIXES


@dataclass(frozen=True)
class Source:
    """A photo: where it is, the name it goes by in the dataset, and its group."""

    path: Path
    name: str
    group: str

    @property
    def pts(self) -> Path:
        """Where its hand-placed landmarks would be."""
        return self.path.with_suffix(".pts")


def find_photos(places: tuple[Path, ...], groups: Path | None) -> list[Source]:
    """The photos in `places` (files, or folders of any depth), sorted by name.

    A photo's name is its path below the folder that was given, after the folder's own name where several
    were given. Raises UsageError where a place is missing, there is no photo, or two share a name.
    """
    group_of = read_groups(groups) if groups else {}
    found: dict[str, Source] = {}
    for place in places:
        if place.is_dir():
            paths = sorted(p for p in place.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            names = [p.relative_to(place).as_posix() for p in paths]
            if len(places) > 1:
                names = [f"{place.resolve().name}/{name}" for name in names]
        elif place.is_file():
            paths, names = [place], [place.name]
        else:
            raise UsageError(f"{place} does not exist; name photos or folders of photos.")
        for path, name in zip(paths, names, strict=True):
            if name in found:
                raise UsageError(f"{path} and {found[name].path} would both be {name!r}; rename a folder.")
            group = group_of.get(name, group_of.get(path.name, name))
            found[name] = Source(path, name, group)
    if not found:
        where = ", ".join(map(str, places))
        raise UsageError(f"no photo in {where}; looked for {' '.join(sorted(SUFFIXES))} at any depth.")
    if groups and all(s.group == s.name for s in found.values()):
        raise UsageError(f"--groups {groups} names none of the {len(found)} photos; expected `photo group`.")
    return [found[name] for name in sorted(found)]


def read_groups(path: Path) -> dict[str, str]:
    """Lines `photo group` -> {photo: group}. Raises LmedgeError on a line of another form."""
    groups = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LmedgeError(f"--groups {path} cannot be read ({error}).") from None
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) == 2:
            groups[words[0]] = words[1]
        elif words:
            raise LmedgeError(f"--groups {path}, line {number}: {line!r} is not `photo group`.")
    return groups


def fingerprint(sources: list[Source]) -> str:
    """A hash of names, groups and file sizes: does a half-written dataset belong to the same photos?"""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0{source.group}\0{source.path.stat().st_size}\n".encode())
    return digest.hexdigest()
