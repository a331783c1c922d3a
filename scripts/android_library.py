"""TensorFlow Lite's native library for Android on x86-64, made to load on a desktop of that processor.

Such a library differs from one of the desktop in little: it names the parts of Android's C library that it needs, and
the versions of their symbols. Both are taken out; then it finds the desktop's C library, and android_demo's bionic.c
for what that does not have. No instruction is changed.
"""

import platform
import struct
import zipfile
from pathlib import Path

from android_build import DEMO, Build, missing

SOURCE = DEMO / "engine" / "src" / "test" / "c" / "bionic.c"
REPLACED = ("vfprintf", "fprintf", "fputc", "fwrite", "fflush", "fileno", "sysconf")  # their names get a capital
SHIM = "libc.so"
# Dynamic tags (ELF gABI, and GNU's for versions), and one that no loader knows
NULL, NEEDED, STRTAB, SYMTAB, VERSYM = 0, 1, 5, 6, 0x6FFFFFF0
VERSIONS = (VERSYM, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF)
IGNORED = 0x6FFFFEF0


def absent() -> str | None:
    """Why it cannot be made here."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return "this is not Linux on x86-64"
    return f"{tool} is not installed" if (tool := missing("gcc")) else None


def desktop_library(build: Build) -> Path:
    """A folder with the library and what it needs; java.library.path and LD_LIBRARY_PATH must name it."""
    folder = build.out / "library"
    folder.mkdir()
    with zipfile.ZipFile(build.groups["tflite"][0]) as archive:
        data = archive.read("jni/x86_64/libtensorflowlite_jni.so")
    (folder / "libtensorflowlite_jni.so").write_bytes(freed(data))
    build.run("gcc", "gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror",
              f"-Wl,-soname,{SHIM}", "-Wl,--no-as-needed", "-o", folder / SHIM, SOURCE,
              "-lm", "-ldl", "-lpthread")  # fmt: skip
    return folder


def freed(library: bytes) -> bytes:
    """A shared library (ELF, 64 bit, little endian) that needs `SHIM` alone, at no version, with `REPLACED` renamed."""
    data = bytearray(library)
    headers, size, count = *struct.unpack_from("<Q", data, 32), *struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, headers + size * i) for i in range(count)]

    def offset(address: int) -> int:
        """Where in the file an address of the loaded library is."""
        inside = (s for s in segments if s[0] == 1 and s[3] <= address < s[3] + s[5])
        return next(address - start + at for _, _, at, start, _, _ in inside)

    dynamic = next(at for kind, _, at, _, _, _ in segments if kind == 2)
    entries = {}  # where -> tag, value
    while NULL not in (tag for tag, _ in entries.values()):
        where = dynamic + 16 * len(entries)
        entries[where] = struct.unpack_from("<QQ", data, where)
    tables = {tag: offset(value) for tag, value in entries.values() if tag in (STRTAB, SYMTAB, VERSYM)}

    def name(at: int) -> str:
        start = tables[STRTAB] + at
        return data[start : data.index(b"\0", start)].decode()

    for where, (tag, value) in entries.items():
        if tag in VERSIONS or (tag == NEEDED and name(value) != SHIM):
            struct.pack_into("<Q", data, where, IGNORED)
    names = {}
    for where in range(tables[SYMTAB] + 24, tables[VERSYM], 24):  # the table of versions follows that of symbols
        at, section = struct.unpack_from("<I2xH", data, where)
        if not section:  # not its own: it asks for it
            names[name(at)] = at
    for wanted in REPLACED:
        data[tables[STRTAB] + names[wanted]] = ord(wanted[0].upper())
    return bytes(data)
