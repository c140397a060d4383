"""Trees in an image that is not run: listings cost nothing, and files of one layer are best read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envaudit.images.tree import Tree
from envaudit.surface._remote import SOURCES, UNREAD
from envaudit.surface.tree import ModuleFile


class ImageTree:
    """One entry of ``sys.path``."""

    def __init__(self, files: Tree, root: str) -> None:
        self._files = files
        self.root = root.rstrip("/")

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where there is none that can be read. Of a distribution's metadata the headers
        are enough, which were kept."""
        read = self._files.beginning if path.endswith(("/METADATA", "/PKG-INFO", ".egg-info")) else self._files.read
        try:
            return read(f"{self.root}/{path}")
        except OSError:
            return None

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none."""
        try:
            return frozenset(self._files.listdir(f"{self.root}/{folder}"))
        except OSError:
            return None

    def sources(self, folder: str) -> Iterator[str]:
        """The paths of the sources in a package, but for its tests."""
        for name in sorted(self.names(folder) or ()):
            path = f"{folder}/{name}"
            if name.endswith(SOURCES):
                yield f"{self.root}/{path}"
            elif "." not in name and name not in UNREAD:
                yield from self.sources(path)

    def __repr__(self) -> str:
        return f"<image folder {self.root}>"


class Image:
    """All entries of ``sys.path`` of the Python in an image."""

    def __init__(self, files: Tree, path: Sequence[str]) -> None:
        self._files = files
        self.trees = [ImageTree(files, entry) for entry in dict.fromkeys(path)]

    def prefetch(self, packages: Sequence[str]) -> None:
        """Read the sources of top-level packages in one go."""
        held = [(tree, tree.names("") or frozenset()) for tree in self.trees]
        found = [(tree, name) for name in packages for tree, names in held if name in names]
        self._files.ahead(path for tree, name in found for path in tree.sources(name))

    def read_ahead(self, modules: Sequence[ModuleFile]) -> None:
        """Read the files of modules in one go."""
        found = [item for item in modules if isinstance(item.tree, ImageTree)]
        self._files.ahead(f"{item.tree.root}/{item.path}" for item in found if isinstance(item.tree, ImageTree))
