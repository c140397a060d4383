"""What a compiled extension module shows of itself without being imported: its C strings.

Every name that a module defines, looks up or takes as a keyword stands in its binary as a string, mostly
zero-terminated; Cython packs them one after the other. A name that is nowhere among them is not offered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from envaudit.surface.tree import ModuleFile

if TYPE_CHECKING:
    from envaudit.surface.surface import Surface

_IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")


class Extension(NamedTuple):
    """The facts of one extension module."""

    names: frozenset[str]
    """Every identifier that occurs in the binary."""


def read(surface: Surface, found: ModuleFile) -> Extension | None:
    """The facts of the extension module that was found."""
    data = found.tree.read(found.path) if found.tree else None
    if data is None:
        return None
    return Extension(names=frozenset(match.decode() for match in _IDENTIFIER.findall(data)))
