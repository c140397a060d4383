"""As much of ELF as is needed to see a shared object's constants and its functions' code (Tool Interface Standard 1.2).

A reader of its own because only three tables are wanted, of files that may be damaged or hostile: every number is
checked against the file's length by slicing, and the counts are capped.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_PROGBITS: Final = 1
_SYMTAB: Final = (2, 11)
_RELA: Final = 4
_ALLOC: Final = 2
_EXECUTED: Final = 4
_FUNCTION: Final = 2
_SECTIONS: Final = 4096
_SYMBOLS: Final = 1_000_000
X86_64: Final = 62
_RELATIVE: Final = {X86_64: 8, 183: 1027}
"""The relocation type that adds the load address, by machine: x86-64 and AArch64."""


class Section(NamedTuple):
    """One section header."""

    kind: int
    flags: int
    address: int
    data: bytes
    link: int


class Binary(NamedTuple):
    """What was read of one shared object."""

    machine: int
    """``e_machine``: :data:`X86_64`, ..."""
    order: str
    """``<`` or ``>``, for :mod:`struct`."""
    wide: bool
    sections: tuple[Section, ...]

    def constants(self) -> list[bytes]:
        """The contents of the sections that hold a program's data, not its code nor its symbols."""
        return [
            section.data
            for section in self.sections
            if section.kind == _PROGBITS and section.flags & _ALLOC and not section.flags & _EXECUTED
        ]

    def code(self) -> list[bytes]:
        """The contents of the sections that hold machine code."""
        return [section.data for section in self.sections if section.flags & _EXECUTED]

    def functions(self, part: bytes) -> dict[bytes, bytes]:
        """Symbol -> machine code, of the functions whose symbol contains ``part``; empty where they were stripped."""
        found = {}
        code = [section for section in self.sections if section.flags & _EXECUTED]
        for table in self.sections:
            if table.kind not in _SYMTAB or not table.link < len(self.sections):
                continue
            names = self.sections[table.link].data
            if part not in names:
                continue
            form = struct.Struct(self.order + ("IBBHQQ" if self.wide else "IIIBBH"))
            whole = len(table.data) - len(table.data) % form.size
            for item in form.iter_unpack(table.data[: min(whole, _SYMBOLS * form.size)]):
                start, info, address, size = (
                    (item[0], item[1], item[4], item[5]) if self.wide else (item[0], item[3], item[1], item[2])
                )
                if info & 15 != _FUNCTION or not size:
                    continue
                name = names[start : names.find(b"\0", start)]
                if part in name:
                    for section in code:
                        if 0 <= address - section.address < len(section.data):
                            begin = address - section.address
                            found[name] = section.data[begin : begin + size]
        return found

    def relative_pointers(self) -> dict[int, int]:
        """Address -> the address that the pointer lying there will hold (relocations of the kind ``RELATIVE``)."""
        wanted = _RELATIVE.get(self.machine)
        form = struct.Struct(self.order + "QQq")
        found: dict[int, int] = {}
        for table in self.sections if self.wide else ():
            if table.kind == _RELA and table.flags & _ALLOC:
                whole = len(table.data) // form.size * form.size
                entries = form.iter_unpack(table.data[:whole])
                found.update((address, addend) for address, info, addend in entries if info & 0xFFFFFFFF == wanted)
        return found


def parse(data: bytes) -> Binary | None:
    """The sections of a shared object; None where it is no ELF file, or its tables do not hold together."""
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"
    try:
        machine = struct.unpack_from(order + "H", data, 18)[0]
        offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
        size, count = struct.unpack_from(order + "HH", data, 58 if wide else 46)
        form = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
        sections = []
        for number in range(min(count, _SECTIONS)):
            _, kind, flags, address, begin, length, link, *_ = form.unpack_from(data, offset + number * size)
            content = b"" if kind == 8 else data[begin : begin + length]  # 8: NOBITS
            sections.append(Section(kind, flags, address, content, link))
    except (struct.error, OverflowError):
        return None
    return Binary(machine, order, wide, tuple(sections)) if sections else None
