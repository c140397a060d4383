"""The identifiers among the string constants of a compiled module.

Strings end with a zero byte, and the linker lets one string be the tail of another (``packbits`` lies inside of
``unpackbits``). Cython since 3.2 joins its strings without separators, mostly compressed with zlib, and keeps their
lengths in an array of 32-bit numbers (Cython/Compiler/Code.py, ``generate_pystring_constants``), which a compiler may
turn into instructions.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from envaudit.surface._names import Names

_IDENTIFIER: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_ENDED: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*\0")
_DEFLATED: Final = re.compile(rb"x[\x01\x5e\x9c\xda]")
_BZIPPED: Final = re.compile(rb"BZh[1-9]1AY&SY")
_TABLE_CAP: Final = 16 * 1024 * 1024
_CANDIDATES: Final = 4_000
_LONGEST: Final = 1 << 20
_JOINS_STRINGS: Final = re.compile(rb"\0_cython_3_(?:[2-9]|[1-9]\d)_")
"""The name under which modules of such a Cython share their types."""
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"


def identifiers(constants: list[bytes], order: str) -> tuple[Names, list[bytes]]:
    """All identifiers, and the strings that Cython had packed."""
    exact: set[bytes] = set()
    ended: list[bytes] = []
    for data in constants:
        exact.update(_IDENTIFIER.findall(data))
        ended += _ENDED.findall(data)
    tables = [table for data in constants for table in _decompressed(data)]
    packed: list[bytes] = []
    joined: bytes | None = b""
    for table in tables:
        lengths = next(filter(None, (_lengths(data, len(table), order) for data in constants)), None)
        if lengths is None:  # the compiler has put them into instructions
            joined = (joined or b"") + b"\0" + table
        packed += _cut(table, lengths or [len(table)])
    if not tables and any(_JOINS_STRINGS.search(data) for data in constants):
        unreadable = any(_ZSTANDARD in data for data in constants)
        joined = None if unreadable else b"\0".join(constants)
    for string in packed:
        exact.update(_IDENTIFIER.findall(string))
    return Names((name.decode() for name in exact), b"".join(ended), joined), packed


def _cut(table: bytes, lengths: list[int]) -> Iterator[bytes]:
    position = 0
    for length in lengths:
        yield table[position : position + length]
        position += length


def _decompressed(data: bytes) -> Iterator[bytes]:
    """What unpacks to the end at a place that looks like the beginning of a zlib or bzip2 stream."""
    view = memoryview(data)
    for match in islice(_DEFLATED.finditer(data), _CANDIDATES):
        reader = zlib.decompressobj()
        try:
            table = reader.decompress(view[match.start() :], _TABLE_CAP)
        except zlib.error:
            continue
        if reader.eof and len(table) > 64:
            yield table
    for match in islice(_BZIPPED.finditer(data), _CANDIDATES):
        import bz2

        unpacker = bz2.BZ2Decompressor()
        try:
            table = unpacker.decompress(view[match.start() :], _TABLE_CAP)
        except OSError:
            continue
        if unpacker.eof:
            yield table


def _lengths(data: bytes, total: int, order: str) -> list[int] | None:
    """The run of 32-bit numbers that add up to ``total``; of several the one with the most numbers above zero."""
    count = len(data) // 4
    numbers = struct.unpack_from(f"{order}{count}I", data)
    best, most = (0, 0), 0
    begin = summed = filled = 0
    for end, number in enumerate(numbers, 1):
        if number > _LONGEST:
            begin, summed, filled = end, 0, 0
            continue
        summed += number
        filled += number > 0
        while summed > total:
            summed -= numbers[begin]
            filled -= numbers[begin] > 0
            begin += 1
        if summed == total and filled > most:
            best, most = (begin, end), filled
    return list(numbers[best[0] : best[1]]) or None


_TYPE: Final = re.compile(rb"(?<=[.\0])[A-Z][A-Za-z0-9_]*(?=\0)")


def types(constants: Iterable[bytes], packed: list[bytes], module: str) -> frozenset[str] | None:
    """The names among the strings of a Cython module (last part of its name given) that may name a class: they end a
    string and begin it or follow a dot (the C API's ``tp_name``, ``__qualname__``). None where it has no extension
    type, so that nothing shows how it names its classes, or where its strings are joined and their borders lost."""
    parts = list(constants)
    qualified = re.compile(rb"(?:^|[.\0])" + re.escape(module.encode()) + rb"\.[A-Z][A-Za-z0-9_]*\0")
    if not any(qualified.search(part) for part in parts):
        return None
    if any(_JOINS_STRINGS.search(part) for part in parts) and len(packed) < _FEWEST:
        return None
    whole = b"\0" + b"\0".join(packed) + b"\0"
    return frozenset(match.decode() for part in (*parts, whole) for match in _TYPE.findall(part))


_FEWEST: Final = 10
"""Strings of a module whose borders are known; a module with classes has many more."""
