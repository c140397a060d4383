"""Trees: the read-only view of one directory of ``sys.path``, wherever it lies."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import zipfile

_MAPPING = re.compile(r"^MAPPING(?:: dict\[str, str\])? = (\{.*\})$", re.M)

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


_MEANT: Final = (".py", ".pyc", ".so", ".dist-info", ".egg-info")

Stamp = Callable[[str], "list[int] | None"]
"""Tells of a path what changes whenever the file or folder does, times of change (ns) last; None where it cannot."""


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


def is_meant(entry: str) -> bool:
    """Whether an entry of a folder can be what a listing is searched for: a package, a module, or the metadata of a
    distribution. A log that a service writes into its working directory, say, is none of these."""
    return entry.endswith(_MEANT) or ("." not in entry and entry != "__pycache__")


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

    def stamp(self, path: str) -> list[int] | None:
        """See :data:`Stamp`."""
        try:
            found = os.stat(os.path.join(self.root, path))
        except (OSError, ValueError):
            return None
        return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]

    def __repr__(self) -> str:
        return f"<folder {self.root}>"


class ArchiveTree:
    """A zip archive: an entry of ``sys.path`` (zipimport) or a wheel."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self._listings = folders_of(archive.namelist())

    def read(self, path: str) -> bytes | None:
        """The contents of a member; None where there is none that can be unpacked."""
        from envaudit.surface import _archive

        try:
            return _archive.unpacked(self.archive, self.archive.getinfo(path))
        except _archive.UNSOUND:
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

        from envaudit.surface import _archive

        try:
            return ArchiveTree(zipfile.ZipFile(path))
        except _archive.UNSOUND:
            pass
    return FolderTree(path)


class EditableTree:
    """The packages of an editable install that an import hook of setuptools finds by a table."""

    def __init__(self, mapping: dict[str, str]) -> None:
        """``mapping``: top-level name -> the folder or the file without ``.py`` that it stands for."""
        self._places: dict[str, tuple[FolderTree, str]] = {}
        for name, path in mapping.items():
            folder, last = os.path.split(path)
            entry, found = (name, last) if os.path.isdir(path) else (name + ".py", last.removesuffix(".py") + ".py")
            self._places[entry] = (FolderTree(folder), found)

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is none that can be read."""
        top, separator, rest = path.partition("/")
        tree, start = self._places.get(top, (None, ""))
        return tree.read(start + separator + rest) if tree else None

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none that can be listed."""
        if not folder:
            return frozenset(self._places)
        top, separator, rest = folder.partition("/")
        tree, start = self._places.get(top, (None, ""))
        return tree.names(start + separator + rest) if tree else None

    def __repr__(self) -> str:
        return f"<editable {', '.join(sorted(self._places))}>"


def editable(tree: Tree) -> EditableTree | None:
    """What the import hooks of setuptools in a folder of ``sys.path`` point to; None where there are none.

    Format: setuptools/command/editable_wheel.py, ``__editable___NAME_finder.py`` with a literal ``MAPPING``.
    """
    mapping: dict[str, str] = {}
    for name in sorted(tree.names("") or ()):
        if name.startswith("__editable__") and name.endswith("_finder.py"):
            match = _MAPPING.search((tree.read(name) or b"").decode("utf-8", "replace"))
            try:
                found = ast.literal_eval(match[1]) if match else {}
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            mapping.update((str(key), str(value)) for key, value in dict(found).items())
    return EditableTree(mapping) if mapping else None
