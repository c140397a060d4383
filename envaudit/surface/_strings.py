"""The identifiers among the string constants of a compiled module.

Strings end with a zero byte, and the linker lets one string be the tail of another (``packbits`` lies inside of
``unpackbits``). Cython since 3.2 joins its strings without separators, mostly compressed with zlib, and keeps their
lengths in an array of 32-bit numbers (Cython/Compiler/Code.py, ``generate_pystring_constants``), which a compiler may
turn into instructions.
"""

from __future__ import annotations

import re
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from envaudit.surface._names import Names

if TYPE_CHECKING:
    from bz2 import BZ2Decompressor

_IDENTIFIER: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")
_DIGITS: Final = b"0123456789"
_LETTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
_SPACED: Final = bytes(code if code in _LETTERS + _DIGITS + b"\0" else 32 for code in range(256))
"""Blanks in the place of all that is neither part of an identifier nor a zero."""
_BETWEEN: Final = re.compile(rb"[^A-Za-z0-9_]")
_DEFLATED: Final = re.compile(rb"x[\x01\x5e\x9c\xda]")
_BZIPPED: Final = re.compile(rb"BZh[1-9]1AY&SY")
_CONSTANTS: Final = 64 * 1024 * 1024
"""Bytes of constants, and"""
_MOST: Final = 1_000_000
"""distinct identifiers beyond which a module's strings are not looked for: real ones have a third at most."""
_WINDOW: Final = 1 << 20
"""Bytes that are cut apart at a time."""
_STREAM_CAP: Final = 4 * 1024 * 1024
"""Bytes of a table of strings, packed or unpacked; those known have less than a tenth."""
_WORK: Final = 64 * 1024 * 1024
"""Bytes that are unpacked, or tried to, in one module."""
_FIRST: Final = 256
_STEP: Final = 64 * 1024
"""Bytes that are unpacked at a time; first few, because most places that look like a stream are none."""
_TABLES: Final = 16
_LONGEST: Final = 1 << 20
_JOINS_STRINGS: Final = re.compile(rb"\0_cython_3_(?:[2-9]|[1-9]\d)_")
"""The name under which modules of such a Cython share their types."""
_ZSTANDARD: Final = re.compile(rb"\x28\xb5\x2f\xfd")

Constants = Sequence[bytes | memoryview]


def identifiers(constants: Constants, order: str) -> tuple[Names, list[bytes]]:
    """All identifiers, and the strings that Cython had packed."""
    found = _distinct(constants)
    if found is None:
        return Names((), joined=None), []
    exact = {name.rstrip(b"\0") for name in found}
    ended = sorted(name for name in found if name.endswith(b"\0"))
    tables = list(islice(_decompressed(constants), _TABLES))
    packed: list[bytes] = []
    joined: bytes | None = b""
    for table in tables:
        lengths = next(filter(None, (_lengths(data, len(table), order) for data in constants)), None)
        if lengths is None:  # the compiler has put them into instructions
            joined = (joined or b"") + b"\0" + table
        packed += _cut(table, lengths or [len(table)])
    if not tables and any(_JOINS_STRINGS.search(data) for data in constants):
        unreadable = any(_ZSTANDARD.search(data) for data in constants)
        joined = None if unreadable else b"\0".join(constants)
    for string in packed:
        exact.update(_IDENTIFIER.findall(string))
    return Names((name.decode() for name in exact), b"".join(ended), joined), packed


def _distinct(constants: Constants) -> set[bytes] | None:
    """Every identifier once, with the zero that ends its string; None where there are too many, or too much to read."""
    if sum(map(len, constants)) > _CONSTANTS:
        return None
    found: set[bytes] = set()
    for window in chain.from_iterable(map(_windows, constants)):
        # A regular expression for each identifier takes twice as long; of many zeros only the first ends a string.
        spaced = window.translate(_SPACED).replace(b"\0" * 8, b"\0 ").replace(b"\0", b"\0 ")
        found.update(word.lstrip(_DIGITS) for word in set(spaced.split()))
        if len(found) > _MOST:
            return None
    return found - {b"", b"\0"}


def _windows(data: bytes | memoryview) -> Iterator[bytes]:
    """The data in pieces that cut no identifier and no zero from what it ends."""
    position = 0
    while position < len(data):
        between = _BETWEEN.search(data, position + _WINDOW)
        end = between.end() if between else len(data)
        yield bytes(data[position:end])
        position = end


def _cut(table: bytes, lengths: list[int]) -> Iterator[bytes]:
    position = 0
    for length in lengths:
        yield table[position : position + length]
        position += length


def _decompressed(constants: Constants) -> Iterator[bytes]:
    """What unpacks to the end at a place that looks like the beginning of a zlib or bzip2 stream."""
    work = _WORK
    for begins, most, make in ((_DEFLATED, 4000, zlib.decompressobj), (_BZIPPED, 64, _bzip2)):
        for data in constants:
            for match in islice(begins.finditer(data), most):
                table, spent = _unpacked(make(), memoryview(data)[match.start() :][: min(_STREAM_CAP, work)])
                work -= spent
                if len(table) > 64:
                    yield table
                if work <= 0:
                    return


def _bzip2() -> BZ2Decompressor:
    import bz2

    return bz2.BZ2Decompressor()


def _unpacked(reader: zlib._Decompress | BZ2Decompressor, packed: memoryview) -> tuple[bytes, int]:
    """A stream's contents (nothing, where it does not reach its end within bounds), and how many bytes it cost."""
    table, spent = b"", 0
    for start in (0, *range(_FIRST, len(packed), _STEP)):
        step = packed[start : start + _STEP if start else _FIRST]
        spent += len(step)
        try:
            table += reader.decompress(step, _STREAM_CAP - len(table))
        except (OSError, zlib.error):
            return b"", spent * 4  # what was unpacked of the step is not known
        if reader.eof:
            return table, spent + len(table)
        if len(table) >= _STREAM_CAP:
            break
    return b"", spent + len(table)


def _lengths(data: bytes | memoryview, total: int, order: str) -> list[int] | None:
    """The run of 32-bit numbers that add up to ``total``; of several the one with the most numbers above zero."""
    numbers = array("I")
    numbers.frombytes(memoryview(data)[: len(data) // 4 * 4])
    if (order == "<") != (sys.byteorder == "little"):
        numbers.byteswap()
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


def types(constants: Constants, packed: list[bytes], module: str) -> frozenset[str] | None:
    """The names among the strings of a Cython module (last part of its name given) that may name a class: they end a
    string and begin it or follow a dot (the C API's ``tp_name``, ``__qualname__``). None where it has no extension
    type, so that nothing shows how it names its classes, or where its strings are joined and their borders lost."""
    # What comes before is looked at afterwards: with something fixed at its beginning a search is many times as fast.
    named = re.compile(re.escape(module.encode()) + rb"\.[A-Z][A-Za-z0-9_]*\0")
    found = ((part, match.start()) for part in constants for match in named.finditer(part))
    if not any(start == 0 or part[start - 1] in b".\0" for part, start in found):
        return None
    if any(_JOINS_STRINGS.search(part) for part in constants) and len(packed) < _FEWEST:
        return None
    whole = b"\0" + b"\0".join(packed) + b"\0"
    return frozenset(match.decode() for part in (*constants, whole) for match in _TYPE.findall(part))


_FEWEST: Final = 10
"""Strings of a module whose borders are known; a module with classes has many more."""
