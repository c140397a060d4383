"""As much of ELF as is needed to see a shared object's constants and its functions' code (Tool Interface Standard 1.2).

A reader of its own because only three tables are wanted, of files that may be damaged or hostile: every number is
checked against the file's length by slicing, and the counts are capped. Nothing is copied: such files have 300 MB.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, Final, NamedTuple

_PROGBITS: Final = 1
_NOBITS: Final = 8
_SYMTAB: Final = (2, 11)
_RELA: Final = 4
_ALLOC: Final = 2
_EXECUTED: Final = 4
_FUNCTION: Final = 2
_SECTIONS: Final = 512
_SYMBOLS: Final = 1_000_000
"""Entries of all symbol tables, and of all relocation tables, that are looked at."""
_FUNCTIONS: Final = 10_000
_LONGEST_NAME: Final = 4096
_LONGEST_CODE: Final = 1 << 20
_GPU_CODE: Final = b".nv_fatbin"
"""The section of code for GPUs (NVIDIA's "CUDA Binary Utilities"): 220 of catboost's 270 MB, without a name in it."""
X86_64: Final = 62
_RELATIVE: Final = {X86_64: 8, 183: 1027}
"""The relocation type that adds the load address, by machine: x86-64 and AArch64."""


class Section(NamedTuple):
    """One section header."""

    name: bytes
    kind: int
    flags: int
    address: int
    data: memoryview
    link: int


class Binary(NamedTuple):
    """What was read of one shared object."""

    machine: int
    """``e_machine``: :data:`X86_64`, ..."""
    order: str
    """``<`` or ``>``, for :mod:`struct`."""
    wide: bool
    sections: tuple[Section, ...]

    def constants(self) -> list[memoryview]:
        """The contents of the sections that hold a program's data, not its code (for GPUs neither) nor its symbols."""
        return [
            section.data
            for section in self.sections
            if section.kind == _PROGBITS
            and section.flags & _ALLOC
            and not section.flags & _EXECUTED
            and section.name != _GPU_CODE
        ]

    def code(self) -> list[memoryview]:
        """The contents of the sections that hold machine code."""
        return [section.data for section in self.sections if section.flags & _EXECUTED]

    def functions(self, part: bytes) -> dict[bytes, bytes]:
        """Symbol -> machine code, of the functions whose symbol contains ``part``; empty where they were stripped."""
        found: dict[bytes, bytes] = {}
        code = [section for section in self.sections if section.flags & _EXECUTED]
        form = struct.Struct(self.order + ("IBBHQQ" if self.wide else "IIIBBH"))
        seen = 0
        for table in self.sections:
            if table.kind not in _SYMTAB or not table.link < len(self.sections):
                continue
            names = bytes(self.sections[table.link].data)
            if part not in names:
                continue
            for item in islice(_entries(table.data, form), _SYMBOLS - seen):
                seen += 1
                start, info, address, size = (
                    (item[0], item[1], item[4], item[5]) if self.wide else (item[0], item[3], item[1], item[2])
                )
                if info & 15 != _FUNCTION or not size:
                    continue
                name = names[start : names.find(b"\0", start, start + _LONGEST_NAME)]
                if part in name and len(found) < _FUNCTIONS:
                    for section in code:
                        if 0 <= address - section.address < len(section.data):
                            begin = address - section.address
                            found[name] = bytes(section.data[begin : begin + min(size, _LONGEST_CODE)])
        return found

    def relative_pointers(self) -> dict[int, int]:
        """Address -> the address that the pointer lying there will hold (relocations of the kind ``RELATIVE``)."""
        wanted = _RELATIVE.get(self.machine)
        form = struct.Struct(self.order + "QQq")
        tables = [table for table in self.sections if self.wide and table.kind == _RELA and table.flags & _ALLOC]
        entries = islice(chain.from_iterable(_entries(table.data, form) for table in tables), _SYMBOLS)
        return {address: addend for address, info, addend in entries if info & 0xFFFFFFFF == wanted}


def _entries(data: memoryview, form: struct.Struct) -> Iterator[tuple[Any, ...]]:
    return form.iter_unpack(data[: len(data) // form.size * form.size])


def parse(data: bytes) -> Binary | None:
    """The sections of a shared object; None where it is no ELF file, or its tables do not hold together."""
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    view = memoryview(data)
    try:
        machine = struct.unpack_from(order + "H", data, 18)[0]
        offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
        size, count, naming = struct.unpack_from(order + "HHH", data, 58 if wide else 46)
        form = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
        headers = [form.unpack_from(data, offset + number * size) for number in range(min(count, _SECTIONS))]
        names = headers[naming][4] if naming < len(headers) else len(data)
        sections = [
            Section(
                data[names + name : names + name + 32].partition(b"\0")[0],
                kind,
                flags,
                address,
                view[:0] if kind == _NOBITS else view[begin : begin + length],
                link,
            )
            for name, kind, flags, address, begin, length, link, *_ in headers
        ]
    except (struct.error, OverflowError):
        return None
    if not sections or sum(len(section.data) for section in sections) > len(data):  # they overlap
        return None
    return Binary(machine, order, wide, tuple(sections))
