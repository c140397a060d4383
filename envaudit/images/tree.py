"""A file tree, of layers or of a folder, and the questions that an operating system would answer about it.

Everything is asked by absolute paths. Symbolic links are followed inside of the tree, as after chroot(2): an absolute
one starts at the tree's root, and ``..`` never leaves it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from envaudit.images.source import Layer
from envaudit.model import Json

_LINKS: Final = 40
"""Symbolic links that Linux follows in one path (MAXSYMLINKS, include/linux/namei.h)."""


class File(NamedTuple):
    """A regular file in a layer."""

    layer: Layer
    offset: int
    """Of its contents in the uncompressed layer; -1 where they cannot be read from there (a sparse member)."""
    size: int
    mtime: float
    """Seconds since the epoch."""


class DiskFile(NamedTuple):
    """A regular file of this machine."""

    path: str
    size: int
    mtime: float
    """Seconds since the epoch."""


class Special(NamedTuple):
    """A device or a pipe: it takes the name of what it replaces, and is never opened."""


class Folder(Protocol):
    """A folder: a dictionary, or what answers like one."""

    def get(self, name: str) -> Entry | None:
        """The entry of that name."""

    def __iter__(self) -> Iterator[str]:
        """The names in it."""


Regular = File | DiskFile
Entry = Regular | Special | str | Folder
"""A string is a symbolic link's target."""
_NO_FOLDER: Final = (File, DiskFile, Special, str)


class Contents(Protocol):
    """Where the contents of files come from: all of a tree's files are of the kind that it knows."""

    def read(self, file: Any) -> bytes:
        """All bytes of a file. Raises OSError where they cannot be read."""

    def beginning(self, file: Any) -> bytes:
        """At least as much of a file as the request wanted that the tree was read for. Raises OSError."""

    def binary(self, file: Any) -> Json | None:
        """What the binary of a Python or a C library says of itself (:mod:`envaudit.images._binary`); None of any other
        file."""

    def ahead(self, files: Iterable[Any], *, whole: bool = True) -> None:
        """Told which files will be read next, so that it takes one round; not ``whole``: only their beginning."""


def walk(root: Folder, path: str, follow: bool = True) -> tuple[Entry, str]:
    """What lies at a path, and that path without links. Raises FileNotFoundError, NotADirectoryError, or OSError
    where links lead in a circle. ``follow``: also where the last part is a link."""
    stack: list[tuple[Folder, str]] = []
    found: Entry = root
    rest = [part for part in reversed(path.split("/")) if part]
    links = 0
    while rest:
        name = rest.pop()
        if name == ".":
            continue
        if isinstance(found, _NO_FOLDER):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        if name == "..":
            found = stack.pop()[0] if stack else root
            continue
        node = found.get(name)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if isinstance(node, str) and (rest or follow):
            links += 1
            if links > _LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if node.startswith("/"):
                found, stack = root, []
            rest += [part for part in reversed(node.split("/")) if part]
            continue
        stack.append((found, name))
        found = node
    return found, "/" + "/".join(name for _, name in stack)


class Tree:
    """A file tree with its contents."""

    def __init__(self, root: Folder, contents: Contents) -> None:
        self.root = root
        self.contents = contents
        self._folders: dict[str, Folder | OSError] = {}

    def entry(self, path: str, follow: bool = True) -> Entry:
        """What lies at a path. Raises OSError."""
        above, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            return walk(self.root, path, follow)[0]
        node = self._folder(above).get(name)
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return walk(self.root, path)[0] if follow and isinstance(node, str) else node

    def real(self, path: str) -> str:
        """The path without symbolic links, as realpath(3). Raises OSError."""
        return walk(self.root, path)[1]

    def listdir(self, path: str) -> list[str]:
        """The names in a folder. Raises OSError."""
        return list(self._folder(path.rstrip("/")))

    def file(self, path: str) -> Regular:
        """The regular file at a path. Raises OSError."""
        found = self.entry(path)
        if isinstance(found, (File, DiskFile)):
            return found
        if isinstance(found, Special):
            raise OSError(errno.ENXIO, "a device or a pipe, which is not read", path)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)

    def is_file(self, path: str) -> bool:
        """Whether there is a regular file."""
        try:
            return isinstance(self.entry(path), (File, DiskFile))
        except OSError:
            return False

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder."""
        try:
            self._folder(path.rstrip("/"))
        except OSError:
            return False
        return True

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name, be it a link that leads nowhere."""
        try:
            self.entry(path, follow=False)
        except OSError:
            return False
        return True

    def read(self, path: str) -> bytes:
        """The contents of a file. Raises OSError."""
        return self.contents.read(self.file(path))

    def beginning(self, path: str) -> bytes:
        """At least as much of a file as the request wanted that the tree was read for. Raises OSError."""
        return self.contents.beginning(self.file(path))

    def text(self, path: str) -> str | None:
        """The contents of a small file as text; None where there is none that can be read."""
        try:
            return self.beginning(path).decode("utf-8", "replace")
        except OSError:
            return None

    def ahead(self, paths: Iterable[str], *, whole: bool = True) -> None:
        """Told which files will be read next; not ``whole``: only their beginning."""
        found = []
        for path in paths:
            try:
                found.append(self.file(path))
            except OSError:  # noqa: PERF203  (who reads it hears of it)
                continue
        self.contents.ahead(found, whole=whole)

    def _folder(self, path: str) -> Folder:
        """A folder by its path without a slash at the end; the same ones are asked for again and again."""
        known = self._folders.get(path)
        if known is None:
            try:
                found, _ = walk(self.root, path)
                if isinstance(found, _NO_FOLDER):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
                known = found
            except OSError as error:
                known = error
            self._folders[path] = known
        if isinstance(known, OSError):
            raise known
        return known
