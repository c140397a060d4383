"""The record layouts that a Cython module's compiled code takes in buffers, read from the tables it checks them by.

Cython/Utility/Buffer.c: for each C struct used in a buffer or memoryview there is a ``__Pyx_TypeInfo`` (name, fields,
size, array sizes, dimensions, type group, ...) that points to an array of ``__Pyx_StructField`` (type, name, offset)
which ends with a null entry. In a shared object the pointers are relative relocations, so the tables can be found
without symbols, and they are what the module really compares with.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from itertools import islice
from typing import Final

from envaudit.surface._elf import Binary
from envaudit.surface._shapes import Layout

_GROUP_AT: Final = 92
"""Offset of ``typegroup`` in ``__Pyx_TypeInfo`` where pointers have 64 bits."""
_STRUCTS: Final = 2_000
"""Places that may be a ``__Pyx_TypeInfo`` which are looked at; modules have some dozens."""
_FIELDS: Final = 256
_LETTERS: Final = {"I": "i", "U": "u", "R": "f", "C": "c", "H": "u", "O": "O", "P": "u"}


class _Image:
    """The module as the loader would lay it out, as far as pointers in its data go."""

    def __init__(self, binary: Binary) -> None:
        self.order = binary.order
        self.pointers = binary.relative_pointers()
        loaded = [section for section in binary.sections if section.address and section.data]
        self._sections = sorted(loaded, key=lambda section: section.address)
        self._begins = [section.address for section in self._sections]

    def at(self, address: int, length: int) -> bytes:
        """The bytes at an address; fewer where it is not mapped."""
        place = bisect_right(self._begins, address) - 1
        if place < 0:
            return b""
        start = address - self._begins[place]
        return bytes(self._sections[place].data[start : start + length])

    def number(self, address: int) -> int:
        """The 64-bit number at an address; -1 where there is none."""
        data = self.at(address, 8)
        return int(struct.unpack(self.order + "q", data)[0]) if len(data) == 8 else -1

    def word(self, address: int) -> str:
        """The C string at an address if it is an identifier or a C type, else nothing."""
        text = self.at(address, 256).partition(b"\0")[0].decode("ascii", "replace")
        return text if text.replace(" ", "_").isidentifier() else ""


def layouts(binary: Binary) -> dict[str, Layout]:
    """Struct name -> layout, of every struct that the module takes or gives out in a buffer."""
    if not binary.wide:
        return {}
    image = _Image(binary)
    found = {}
    pairs = (address for address in image.pointers if address + 8 in image.pointers)
    for address in islice((address for address in pairs if image.at(address + _GROUP_AT, 1) == b"S"), _STRUCTS):
        name = image.word(image.pointers[address]).removeprefix("const ")
        layout = _struct(image, address)
        if name and layout:
            found[name] = layout
    return found


def _struct(image: _Image, address: int) -> Layout | None:
    start, size = image.pointers.get(address + 8), image.number(address + 16)
    if start is None or not 0 < size < 1 << 20:
        return None
    fields = []
    for field in range(start, start + _FIELDS * 24, 24):
        kind, name = image.pointers.get(field), image.pointers.get(field + 8)
        if kind is None or name is None:
            break
        spec, offset = _scalar(image, kind), image.number(field + 16)
        if spec is None or not 0 <= offset < size or not image.word(name):
            return None
        fields.append((image.word(name), spec, offset))
    return Layout(tuple(fields), size) if fields else None


def _scalar(image: _Image, address: int) -> str | None:
    """The numpy dtype string of a field's type (``|V`` and the size for an array); None for a nested struct."""
    if address + 8 in image.pointers:
        return None
    group, size = image.at(address + _GROUP_AT, 1).decode("ascii", "replace"), image.number(address + 16)
    dimensions = image.number(address + 88) & 0xFF
    if group not in _LETTERS or not 0 < size <= 32 or dimensions > 8:
        return None
    if dimensions:
        for axis in range(dimensions):
            size *= image.number(address + 24 + 8 * axis)
        return f"|V{size}" if size > 0 else None
    return f"{'|' if size == 1 else image.order}{_LETTERS[group]}{size}"
