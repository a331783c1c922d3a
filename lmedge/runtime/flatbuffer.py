"""Reading a flatbuffer from strangers: every access is checked against the end of the file."""

import struct
from dataclasses import dataclass, field
from typing import Any

# What is read of a file at most, in numbers. Offsets may point at the same place again and again, so that a small file
# can claim to hold any amount; a face model of 128 channels takes a tenth of it, and all of it a second.
MOST_WORK = 1_500_000
TABLE_WORK = 50  # numbers that take as long as a table


class Damaged(Exception):
    """What is wrong with the file, as the end of a sentence."""


@dataclass(frozen=True)
class Reader:
    """A flatbuffer whose every access is checked against its end. Large lists of bytes are views, not copies."""

    data: memoryview
    spent: list[int] = field(default_factory=lambda: [0])

    def spend(self, work: int) -> None:
        """Counts what is read. Raises Damaged beyond `MOST_WORK`."""
        self.spent[0] += work
        if self.spent[0] > MOST_WORK:
            raise Damaged("it refers to more than a face model holds")

    def number(self, kind: str, at: int) -> Any:
        """The number of struct's `kind` there."""
        if not 0 <= at <= len(self.data) - struct.calcsize(kind):
            raise Damaged("an offset points out of the file")
        return struct.unpack_from("<" + kind, self.data, at)[0]

    def follow(self, at: int) -> int:
        """Where the offset there points."""
        return at + self.number("I", at)

    def table(self, at: int) -> "Table":
        """The table there."""
        self.spend(TABLE_WORK)
        vtable = at - self.number("i", at)
        size, inline = self.number("H", vtable), self.number("H", vtable + 2)
        if size < 4 or size % 2 or inline < 4:
            raise Damaged("a table has no fields' list")
        if vtable + size > len(self.data) or at + inline > len(self.data):
            raise Damaged("a table reaches out of the file")
        self.spend(size)
        fields = struct.unpack_from(f"<{(size - 4) // 2}H", self.data, vtable + 4)
        if any(field >= inline for field in fields):
            raise Damaged("a field lies outside its table")
        return Table(self, at, fields)

    def list(self, at: int, item: int) -> tuple[int, int]:
        """Where the items of a list start, and how many there are."""
        count = self.number("I", at)
        if count * item > len(self.data) - at - 4:
            raise Damaged(f"a list of {count} items reaches out of the file")
        return at + 4, count


@dataclass(frozen=True)
class Table:
    """A table: `fields` are the places of its fields from `at` on, 0 for one that is left out. Fields are read by
    number; one that is left out is its default, or empty."""

    reader: Reader
    at: int
    fields: tuple[int, ...]

    def place(self, field: int) -> int | None:
        """Where the field is; None where it is left out."""
        offset = self.fields[field] if field < len(self.fields) else 0
        return self.at + offset if offset else None

    def number(self, field: int, kind: str, default: int = 0) -> int:
        place = self.place(field)
        return default if place is None else self.reader.number(kind, place)

    def absent(self, *fields: int) -> bool:
        """Whether all of these fields are left out."""
        return all(self.place(field) is None for field in fields)

    def numbers(self, field: int, kind: str) -> tuple[Any, ...]:
        """A list of numbers."""
        place = self.place(field)
        if place is None:
            return ()
        start, count = self.reader.list(self.reader.follow(place), struct.calcsize(kind))
        self.reader.spend(count)
        return struct.unpack_from(f"<{count}{kind}", self.reader.data, start)

    def bytes(self, field: int) -> memoryview:
        """A list of bytes."""
        place = self.place(field)
        if place is None:
            return memoryview(b"")
        start, count = self.reader.list(self.reader.follow(place), 1)
        return self.reader.data[start : start + count]

    def text(self, field: int) -> str:
        """A string."""
        place = self.place(field)
        if place is not None:
            start, count = self.reader.list(self.reader.follow(place), 1)
            if self.reader.number("B", start + count):
                raise Damaged("a name has no end")
        text = self.bytes(field)
        self.reader.spend(len(text))
        return bytes(text).decode("utf-8", "replace")

    def table(self, field: int) -> "Table | None":
        """A table of its own."""
        place = self.place(field)
        return None if place is None else self.reader.table(self.reader.follow(place))

    def tables(self, field: int) -> list["Table"]:
        """A list of tables."""
        place = self.place(field)
        if place is None:
            return []
        start, count = self.reader.list(self.reader.follow(place), 4)
        return [self.reader.table(self.reader.follow(start + 4 * i)) for i in range(count)]
