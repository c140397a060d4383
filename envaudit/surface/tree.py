"""Trees: the read-only view of one directory of ``sys.path``, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import zipfile

Kind = Literal["source", "package", "namespace", "extension", "builtin", "bytecode", "stdlib"]
"""What a module is made of: a source file, a package with an ``__init__.py``, a namespace package (PEP 420), a compiled
extension (also a compiled ``__init__``), linked into the interpreter, bytecode without source, or a module of the
standard library whose files are not at hand."""


class Tree(Protocol):
    """One directory of ``sys.path`` of a target, or the members of a wheel. Paths are relative, separated by ``/``."""

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is no such file."""

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder (``""``: the top); None where there is no such folder."""


class ModuleFile(NamedTuple):
    """Where a module comes from."""

    kind: Kind
    module: str
    """Its dotted name."""
    tree: Tree | None
    path: str
    """Of the source, the extension or the package's ``__init__``, within the tree; ``""`` where there is none."""
    portions: tuple[tuple[Tree, str], ...] = ()
    """A package's ``__path__``: the folders in which its submodules are looked for, in that order."""


class FolderTree:
    """A folder of this machine; listings are kept, contents are not."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._listings: dict[str, frozenset[str] | None] = {}

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is none that can be read."""
        try:
            with open(os.path.join(self.root, path), "rb") as stream:
                return stream.read()
        except OSError:
            return None

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none that can be listed."""
        if folder not in self._listings:
            try:
                self._listings[folder] = frozenset(os.listdir(os.path.join(self.root, folder)))
            except OSError:
                self._listings[folder] = None
        return self._listings[folder]

    def __repr__(self) -> str:
        return f"<folder {self.root}>"


class ArchiveTree:
    """A zip archive: an entry of ``sys.path`` (zipimport) or a wheel."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self._listings = folders_of(archive.namelist())

    def read(self, path: str) -> bytes | None:
        """The contents of a member; None where there is none that can be unpacked."""
        import zlib

        try:
            return self.archive.read(path)
        except (KeyError, OSError, ValueError, RuntimeError, zlib.error, EOFError):
            return None

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none."""
        return self._listings.get(folder)

    def __repr__(self) -> str:
        return f"<archive {self.archive.filename}>"


def folders_of(paths: Iterable[str]) -> dict[str, frozenset[str]]:
    """Folder -> its entries, of a list of files (``""``: the top)."""
    found: dict[str, set[str]] = {"": set()}
    for path in paths:
        folder, _, last = path.rstrip("/").rpartition("/")
        while last not in found.setdefault(folder, set()):
            found[folder].add(last)
            folder, _, last = folder.rpartition("/")
            if not last:
                break
    return {folder: frozenset(names) for folder, names in found.items()}


def local_tree(path: str) -> Tree:
    """An entry of ``sys.path`` of this machine: a folder, or an archive (zipimport)."""
    if os.path.isfile(path):
        import zipfile

        try:
            return ArchiveTree(zipfile.ZipFile(path))
        except (OSError, zipfile.BadZipFile):
            pass
    return FolderTree(path)
