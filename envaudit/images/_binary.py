"""What the binary of a Python, or of the C library, says of itself.

ELF header and program headers: Tool Interface Standard 1.2. The constants: CPython's Python/getversion.c and
Python/getcompiler.c (``PY_VERSION``, ``COMPILER``), glibc's csu/version.c (the banner).
"""

from __future__ import annotations

import re
import struct
from typing import Final

from envaudit.model import Json

_MACHINES: Final = {
    3: "i686",
    21: "ppc64",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
    258: "loongarch64",
}
"""``e_machine`` (https://refspecs.linuxfoundation.org, elf.h of glibc) -> as the kernel spells it (uname(2))."""
_INTERPRETER: Final = 3
_VERSION: Final = re.compile(rb"3\.\d{1,2}\.\d{1,2}(?:(?:a|b|rc)\d{1,2})?\+?\0")
"""What precedes it need not be the end of another text: linkers let texts share their ends, and a prefix may end in the
version (``/opt/python/3.12.1``). Only a digit or a dot is refused, apart from the pattern: with a fixed beginning the
search is sixty times faster."""
_COMPILER: Final = re.compile(rb"\[((?:GCC|Clang) [^\]\0]{1,60})\]\0")
_GLIBC: Final = re.compile(rb"GNU C Library \([^\n]{1,100}\) (?:stable|development) release version (\d+\.\d+)")


def drawn(data: bytes) -> dict[str, Json] | None:
    """``machine``, ``bits``, ``byteorder``, ``loader`` (the program interpreter); ``versions`` and ``compiler`` of a
    Python, ``glibc`` of a C library. None where it is no ELF file."""
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    machine = struct.unpack_from(order + "H", data, 18)[0]
    name = _MACHINES.get(machine, f"machine {machine}")
    facts: dict[str, Json] = {
        "machine": "ppc64le" if (name, order) == ("ppc64", "<") else name,
        "bits": 64 if wide else 32,
        "byteorder": "little" if order == "<" else "big",
    }
    loader = _loader(data, wide, order)
    if loader:
        facts["loader"] = loader
    found = {
        (data[match.start() - 1] != 0, match[0][:-1].decode())
        for match in _VERSION.finditer(data)
        if data[match.start() - 1] not in b".0123456789"
    }
    versions = list(dict.fromkeys(version for _, version in sorted(found)))  # those that stand alone come first
    if versions:
        facts["versions"] = versions
    compiler = _COMPILER.search(data)
    if compiler:
        facts["compiler"] = " ".join(compiler[1].decode("ascii", "replace").split())
    glibc = _GLIBC.search(data)
    if glibc:
        facts["glibc"] = glibc[1].decode()
    return facts


def _loader(data: bytes, wide: bool, order: str) -> str | None:
    """The path in the PT_INTERP segment."""
    offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    for number in range(min(count, 64)):
        at = offset + number * size
        if at + 56 > len(data):
            return None
        if struct.unpack_from(order + "I", data, at)[0] == _INTERPRETER:
            start, length = (
                (struct.unpack_from(order + "Q", data, at + 8)[0], struct.unpack_from(order + "Q", data, at + 32)[0])
                if wide
                else struct.unpack_from(order + "I8xI", data, at + 4)
            )
            return data[start : start + min(length, 4096)].rstrip(b"\0").decode("utf-8", "replace")
    return None
