"""Which states the ``__pyx_unpickle_CLASS(cls, checksum, state)`` of a Cython module accepts.

Cython gives a class without a ``__reduce__`` of its own a pickling by its C members, and stores a checksum of their
names with the state (Cython/Compiler/ParseTreeTransforms.py, ``_calculate_pickle_checksums``: the first seven hex
digits of SHA-256, SHA-1 and MD5 of the names joined by blanks; older ones only of MD5). The accepted values stand in
the message of the refusal; since 3.2, which puts that message together at run time, only in the code.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Sequence
from typing import Final

from envaudit.surface._elf import X86_64, Binary

_PREFIX: Final = "__pyx_unpickle_"
_MESSAGE: Final = re.compile(
    rb"Incompatible checksums \((?:0x%x|%s) vs \(?((?:0x[0-9a-f]+(?:, )?)+)\)? = \(([\w, ]*)\)\)"
)
_MADE_LATE: Final = re.compile(re.escape(b"Incompatible checksums (0x%x vs (0x%x, 0x%x, 0x%x) = (%s))"))
_MEMBERS: Final = re.compile(rb"(?<=\0)\w+(?:, \w+)*(?=\0)")
_LOADED: Final = re.compile(rb"[\xb8-\xbf](?=(...[\x00-\x0f]))", re.S)
"""``mov imm32, register`` of x86 with a value of seven hex digits."""


def accepted(strings: Sequence[bytes | memoryview], binary: Binary) -> dict[str, tuple[int, ...]]:
    """Member names as the message lists them (``"_dtype, _ndarray"``) -> the checksums that stand for them."""
    found: dict[str, tuple[int, ...]] = {}
    late = False
    for data in strings:
        late = late or _MADE_LATE.search(data) is not None
        for match in _MESSAGE.finditer(data):
            found[match[2].decode()] = tuple(int(value, 16) for value in match[1].decode().split(", "))
    if late and binary.machine == X86_64:
        loaded = {match[1] for code in binary.code() for match in _LOADED.finditer(code)}
        candidates = {b"", *(name for data in strings for name in _MEMBERS.findall(data))}
        for members in candidates:
            values = calculated(members.decode())
            if all(struct.pack("<I", value) in loaded for value in values):
                found[members.decode()] = values
    return found


def calculated(members: str) -> tuple[int, ...]:
    """The checksums that Cython computes for member names as the message lists them."""
    names = members.replace(", ", " ").encode()
    return tuple(
        int(hashlib.new(algorithm, names, usedforsecurity=False).hexdigest()[:7], 16)
        for algorithm in ("sha256", "sha1", "md5")
    )


def by_function(accepted: dict[str, tuple[int, ...]], binary: Binary) -> dict[str, tuple[int, ...]]:
    """``__pyx_unpickle_CLASS`` -> its checksums, where its symbol was kept and its code holds them."""
    found: dict[str, tuple[int, ...]] = {}
    if binary.machine == X86_64:
        for symbol, code in binary.functions(_PREFIX.encode()).items():
            name = _plain(symbol.decode("ascii", "replace")).partition(".")[0]
            name = name[name.find(_PREFIX) :]
            values = [value for group in accepted.values() for value in group if struct.pack("<I", value) in code]
            if values and not name.endswith("__set_state"):
                found[name] = tuple(dict.fromkeys([*found.get(name, ()), *values]))
    return found


def _plain(symbol: str) -> str:
    """The name inside of a mangled C++ symbol (Itanium ABI, no namespace: ``_Z[L]<length><name>``)."""
    match = re.match(r"_ZL?(\d+)", symbol)
    return symbol[match.end() :][: int(match[1])] if match else symbol
