"""The .npy format, read without numpy. Reference: numpy/lib/format.py, "Format Version 1.0" to "3.0"."""

from __future__ import annotations

import ast
import struct
from typing import Final, NamedTuple

from envaudit.model import DEEPEST, Json

MAGIC: Final = b"\x93NUMPY"
_HEADER_CAP: Final = 65536
_CODES: Final = {
    "b1": "?", "f2": "e", "f4": "f", "f8": "d",
    "i1": "b", "i2": "h", "i4": "i", "i8": "q",
    "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
}  # fmt: skip
"""Letters of :mod:`struct` by the type that numpy writes."""


class Header(NamedTuple):
    """What stands before the numbers."""

    dtype: str
    """As ``numpy.dtype.str`` spells it."""
    shape: tuple[int, ...]
    fortran: bool
    start: int
    """Offset of the numbers."""


def header(data: bytes) -> Header:
    """The header of a whole .npy file of plain values. Raises ValueError, in words, for anything else."""
    if not data.startswith(MAGIC) or len(data) < 12:
        raise ValueError("is no .npy file")
    width = 2 if data[6] == 1 else 4
    length = int.from_bytes(data[8 : 8 + width], "little")
    start = 8 + width + length
    if length > _HEADER_CAP or start > len(data):
        raise ValueError("is a cut or broken .npy file")
    try:
        found = ast.literal_eval(data[8 + width : start].decode("utf-8"))
        descr, shape, fortran = found["descr"], found["shape"], found["fortran_order"]
    except (ValueError, SyntaxError, KeyError, TypeError, MemoryError, RecursionError):
        raise ValueError("is a cut or broken .npy file") from None
    # No side is longer than the file, not even of an array without items: lists of its length will be made.
    sound = isinstance(shape, tuple) and len(shape) <= DEEPEST
    if not sound or not all(type(side) is int and 0 <= side <= len(data) for side in shape):
        raise ValueError("is a cut or broken .npy file")
    if not isinstance(descr, str):
        raise ValueError("holds records; a plain array is needed")
    if "O" in descr:
        raise ValueError("holds Python objects, which only unpickling could read; save numbers or texts")
    return Header(descr, shape, bool(fortran), start)


def values(data: bytes) -> Json:
    """The array as nested lists. Raises ValueError, in words, where it cannot be read."""
    found = header(data)
    order, kind, size = found.dtype[:1], found.dtype[1:2], found.dtype[2:]
    if order not in "<>|=" or not size.isdigit():
        raise ValueError(f"has the type {found.dtype}, which cannot be compared")
    count = 1
    for side in found.shape:
        count *= side
    width = int(size) * (4 if kind == "U" else 1)
    body = data[found.start : found.start + count * width]
    if len(body) < count * width:
        raise ValueError("is a cut or broken .npy file")
    flat = _flat(body, order, kind, width, count, found.dtype)
    if found.fortran and len(found.shape) > 1:
        return _transposed(flat, found.shape)
    return _nested(flat, found.shape)


def _flat(body: bytes, order: str, kind: str, width: int, count: int, dtype: str) -> list[Json]:
    big = order == ">"
    if kind in "US" and width:
        cells = [body[at : at + width] for at in range(0, count * width, width)]
        encoding = ("utf-32-be" if big else "utf-32-le") if kind == "U" else "latin-1"
        return [cell.decode(encoding, "replace").rstrip("\0") for cell in cells]
    code = _CODES.get(f"{kind}{width}")
    if code is None:
        raise ValueError(f"has the type {dtype}, which cannot be compared")
    return list(struct.unpack(f"{'>' if big else '<'}{count}{code}", body))


def _nested(flat: list[Json], shape: tuple[int, ...]) -> Json:
    if not shape:
        return flat[0]
    for side in reversed(shape[1:]):
        if not side:
            return [[] for _ in range(shape[0])]
        flat = [flat[at : at + side] for at in range(0, len(flat), side)]
    return flat


def _transposed(flat: list[Json], shape: tuple[int, ...]) -> Json:
    """Nested lists of numbers that lie column by column."""
    if len(shape) != 2:
        raise ValueError("has more than two dimensions in Fortran order; save numpy.ascontiguousarray of it")
    rows, columns = shape
    return [[flat[column * rows + row] for column in range(columns)] for row in range(rows)]
