"""What a compiled extension module shows of itself without being imported, and what sources shipped beside it add.

Every name that a module defines or takes as a keyword stands in its binary as a string; a Cython module moreover holds
the record layouts that it takes in buffers and the checksums of the states that it accepts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Set
from functools import cached_property
from typing import TYPE_CHECKING

from envaudit.model import Json
from envaudit.surface import _binary
from envaudit.surface._names import Names
from envaudit.surface._shapes import Layout, Signature
from envaudit.surface.tree import ModuleFile

if TYPE_CHECKING:
    from envaudit.surface.surface import Surface

__all__ = ["Extension", "Layout", "Signature", "read"]


class Extension:
    """The facts of one extension module; those of the sources that lie beside it are read when they are asked for."""

    def __init__(self, surface: Surface, found: ModuleFile, facts: Json) -> None:
        """``facts`` are what :func:`envaudit.surface._binary.drawn` makes of the module's file."""
        self._surface = surface
        self._found = found
        self.names: Set[str] = Names.of_plain(facts["names"])
        """Every identifier that occurs as a string: what is not in it, the module surely does not offer."""
        self.types: Set[str] | None = None if facts["types"] is None else frozenset(facts["types"].split())
        """Capitalised names that its strings show as names of classes: a class that is not among them is not offered.
        None where that cannot be told."""
        self.checksums = {members: tuple(values) for members, values in facts["checksums"].items()}
        """Member names (``"quantile"``, ``"_dtype, _ndarray"``, ``""``) -> checksums that stand for such a state."""
        self.unpicklers = {function: tuple(values) for function, values in facts["unpicklers"].items()}
        """``__pyx_unpickle_CLASS`` -> the checksums that it accepts, where the binary tells them apart by class."""
        self._layouts = {
            name: Layout(tuple((field, spec, offset) for field, spec, offset in fields), size)
            for name, (fields, size) in facts["structs"].items()
        }

    @cached_property
    def source(self) -> str | None:
        """The text of the .pyx (or .pyx.tp: before templating) where it is shipped."""
        return _beside(self._found, ".pyx")

    @cached_property
    def structs(self) -> dict[str, Layout]:
        """C structs by name: those that the module takes in buffers, and those that its .pxd and .pyx declare."""
        from envaudit.surface import _cython

        declared = _beside(self._found, ".pxd")

        def declaration(module: str) -> str | None:
            return declared if module == self._found.module else pxd(self._surface, module)

        found: dict[str, Layout] = {}
        for text in (self.source, declared):
            if text is not None:
                found.update(_cython.structs(self._found.module, text, declaration))
        return {**found, **self._layouts}

    @cached_property
    def functions(self) -> dict[str, Signature]:
        """``name`` and ``Class.name`` -> signature; empty where no .pyx is shipped."""
        from envaudit.surface import _cython

        return {} if self.source is None else _cython.functions(self.source)

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
    data = surface.read(found.module)
    if data is None:
        return None
    name = found.module.rpartition(".")[2]
    facts = surface.facts.kept(f"binary {name}", data, lambda: _binary.drawn(data, name), *_binary.CODE)
    return None if facts is None else Extension(surface, found, facts)


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
