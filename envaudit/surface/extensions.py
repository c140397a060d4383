"""What a compiled extension module shows of itself without being imported, and what sources shipped beside it add.

Every name that a module defines or takes as a keyword stands in its binary as a string; a Cython module moreover holds
the record layouts that it takes in buffers and the checksums of the states that it accepts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Set
from typing import TYPE_CHECKING, NamedTuple

from envaudit.surface import _checksums, _cython, _elf, _layouts, _strings
from envaudit.surface._cython import Signature
from envaudit.surface._layouts import Layout
from envaudit.surface.tree import ModuleFile

if TYPE_CHECKING:
    from envaudit.surface.surface import Surface

__all__ = ["Extension", "Layout", "Signature", "read"]


class Extension(NamedTuple):
    """The facts of one extension module."""

    names: Set[str]
    """Every identifier that occurs as a string: what is not in it, the module surely does not offer."""
    checksums: dict[str, tuple[int, ...]] = {}  # noqa: RUF012
    """Member names (``"quantile"``, ``"_dtype, _ndarray"``, ``""``) -> the checksums that stand for such a state."""
    unpicklers: dict[str, tuple[int, ...]] = {}  # noqa: RUF012
    """``__pyx_unpickle_CLASS`` -> the checksums that it accepts, where the binary tells them apart by class."""
    structs: dict[str, Layout] = {}  # noqa: RUF012
    """C structs by name: those that the module takes in buffers, and those that its .pxd and .pyx declare."""
    functions: dict[str, Signature] = {}  # noqa: RUF012
    """``name`` and ``Class.name`` -> signature; empty where no .pyx is shipped."""
    types: Set[str] | None = None
    """Capitalised names that its strings show as names of classes: a class that is not among them is not offered. None
    where that cannot be told."""
    source: str | None = None
    """The text of the .pyx (or .pyx.tp: before templating) where it is shipped."""

    def offers(self, name: str) -> bool:
        """Whether the module may offer a name; False only where it surely does not."""
        if name not in self.names:
            return False
        return self.types is None or not name[:1].isupper() or name in self.types

    def accepts(self, function: str, checksum: int) -> bool | None:
        """Whether ``__pyx_unpickle_CLASS`` takes a state with this checksum; None where the binary does not tell."""
        if function not in self.names:
            return False
        if function in self.unpicklers:
            return checksum in self.unpicklers[function]
        everything = {value for values in self.checksums.values() for value in values}
        return checksum in everything if everything else None


def read(surface: Surface, found: ModuleFile) -> Extension | None:
    """The facts of the extension module that was found; None where its file is no shared object."""
    data = found.tree.read(found.path) if found.tree else None
    binary = _elf.parse(data) if data else None
    if binary is None:
        return None
    constants = binary.constants()
    names, packed = _strings.identifiers(constants, binary.order)
    checksums = _checksums.accepted([*constants, *packed], binary)
    source = _beside(found, ".pyx")
    declared = _beside(found, ".pxd")

    def declaration(module: str) -> str | None:
        return declared if module == found.module else pxd(surface, module)

    structs = {}
    for text in (source, declared):
        if text is not None:
            structs.update(_cython.structs(found.module, text, declaration))
    return Extension(
        names=names,
        checksums=checksums,
        unpicklers=_checksums.by_function(checksums, binary),
        structs={**structs, **_layouts.layouts(binary)},
        functions=_cython.functions(source) if source is not None else {},
        types=_strings.types(constants, packed, found.module.rpartition(".")[2]),
        source=source,
    )


def _beside(found: ModuleFile, suffix: str) -> str | None:
    """The text of ``MODULE.pyx`` or ``MODULE.pxd``, or of its template, in the folder of the module's file."""
    folder, file = posixpath.split(found.path)
    stem = posixpath.join(folder, file.partition(".")[0])
    for path in (stem + suffix, f"{stem}{suffix}.tp", f"{stem}{suffix}.in"):
        data = found.tree.read(path) if found.tree else None
        if data is not None:
            return data.decode("utf-8", "replace")
    return None


def pxd(surface: Surface, module: str) -> str | None:
    """The text of the .pxd of any module, which lies beside its extension or, as a folder's, in ``__init__.pxd``."""
    found = surface.find(module)
    if found is not None and found.kind == "extension":
        return _beside(found, ".pxd")
    parent, _, name = module.rpartition(".")
    package = surface.find(parent) if parent else None
    for tree, folder in package.portions if package else ():
        data = tree.read(f"{folder}/{name}.pxd")
        if data is not None:
            return data.decode("utf-8", "replace")
    return None
