"""Which installed distribution has which version, and which one a top-level module belongs to.

Formats: PyPA "Core metadata", "Recording installed projects" (``*.dist-info``), and setuptools' older ``*.egg-info``
(a folder, or for distutils a file that is the metadata itself) and ``EGG-INFO`` inside of an egg.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from envaudit.needs import distribution_of
from envaudit.surface.tree import Tree, is_meant

__all__ = ["Distribution", "Distributions", "normalised"]

_FOLDER = re.compile(r"(?P<name>[^-]+)(?:-(?P<version>[^-]+))?.*\.(?:dist-info|egg-info)$")


class Distribution(NamedTuple):
    """One installed distribution."""

    name: str
    """Normalised (PEP 503)."""
    version: str
    tree: Tree
    folder: str
    """Its metadata folder or file within the tree."""


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Distributions:
    """The distributions of several trees; of two of the same name the one in the earlier tree counts."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._trees = trees
        self._by_name: dict[str, Distribution] | None = None
        self._of_module: dict[str, Distribution | None] = {}

    def by_name(self) -> dict[str, Distribution]:
        """Normalised name -> distribution, in the order of the trees and then by folder."""
        if self._by_name is None:
            self._by_name = {}
            for tree in self._trees:
                for found in _in_tree(tree):
                    self._by_name.setdefault(found.name, found)
        return self._by_name

    def version(self, name: str) -> str | None:
        """The version of a distribution, or of the one that a top-level module belongs to; None where none is known."""
        top = name.partition(".")[0]
        found = (self._is_module(top) and self.of_module(top)) or self.by_name().get(normalised(name))
        return found.version if found else None

    def _is_module(self, name: str) -> bool:
        """Whether a tree has something of that name: to ask every distribution for one that nobody has is dear."""
        entries = (item for tree in self._trees for item in tree.names("") or ())
        return any(item.partition(".")[0] == name and is_meant(item) for item in entries)

    def of_module(self, module: str) -> Distribution | None:
        """The distribution that installed a top-level module. One named like the module need not be the one."""
        if module not in self._of_module:
            everything = self.by_name()
            likely = (everything.get(name) for name in (distribution_of(module), normalised(module)))
            candidates = dict.fromkeys([*filter(None, likely), *everything.values()])
            self._of_module[module] = next((item for item in candidates if _provides(item, module)), None)
        return self._of_module[module]


def _in_tree(tree: Tree) -> Iterator[Distribution]:
    for folder in sorted(tree.names("") or ()):
        match = _FOLDER.match(folder)
        if match is None and folder != "EGG-INFO":
            continue
        name, version = _metadata(tree, folder)
        if not name and match:
            name = match["name"]
        if not version and match:
            version = match["version"] or ""
        if name and version:
            yield Distribution(normalised(name), version, tree, folder)


def _metadata(tree: Tree, folder: str) -> tuple[str, str]:
    """Name and version as the metadata file's headers say."""
    for path in (f"{folder}/METADATA", f"{folder}/PKG-INFO", folder):
        data = tree.read(path)
        if data is not None:
            headers = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace")
            found = {
                key.lower(): value.strip() for key, value in re.findall(r"^(Name|Version)\s*:(.*)$", headers, re.M)
            }
            return found.get("name", ""), found.get("version", "")
    return "", ""


def _provides(item: Distribution, module: str) -> bool:
    listed = item.tree.read(f"{item.folder}/top_level.txt")
    if listed is not None and module in listed.decode("utf-8", "replace").split():
        return True
    # Build backends other than setuptools write no top_level.txt; the list of files is there nearly always.
    start = module.encode()
    for name in ("RECORD", "SOURCES.txt", "installed-files.txt"):
        data = item.tree.read(f"{item.folder}/{name}")
        if data is not None:
            prefix = b"../" if name == "installed-files.txt" else b""
            return any(
                data.startswith(prefix + start + end) or b"\n" + prefix + start + end in data for end in (b"/", b".")
            )
    return False
