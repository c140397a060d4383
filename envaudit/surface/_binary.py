"""All that a compiled module's binary shows by itself, as JSON that can be kept (:mod:`envaudit.surface._facts`)."""

from __future__ import annotations

import os
from typing import Final

from envaudit.model import Json

_HERE: Final = os.path.dirname(__file__)
CODE: Final = tuple(
    os.path.join(_HERE, f"_{name}.py") for name in ("binary", "elf", "names", "strings", "checksums", "layouts")
)
"""The source files of what draws these facts."""


def drawn(data: bytes, name: str) -> Json:
    """``names``, ``types``, ``checksums``, ``unpicklers`` and ``structs`` (:class:`~envaudit.surface.Extension`) of a
    module, whose name's last part is given; None where its file is no shared object."""
    from envaudit.surface import _checksums, _elf, _layouts, _strings

    binary = _elf.parse(data)
    if binary is None:
        return None
    constants = binary.constants()
    names, packed = _strings.identifiers(constants, binary.order)
    types = _strings.types(constants, packed, name)
    checksums = _checksums.accepted([*constants, *packed], binary)
    return {
        "names": names.plain(),
        "types": None if types is None else " ".join(sorted(types)),
        "checksums": {members: list(values) for members, values in checksums.items()},
        "unpicklers": {
            function: list(values) for function, values in _checksums.by_function(checksums, binary).items()
        },
        "structs": {
            struct: [list(layout.fields), layout.itemsize] for struct, layout in _layouts.layouts(binary).items()
        },
    }
