"""A folder that holds the root file system of another system: a mounted image, a chroot, a rootfs that was unpacked."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator

from envaudit.evidence import MIB
from envaudit.images import _binary
from envaudit.images.tree import DiskFile, Entry, Special, Tree
from envaudit.model import Json

_LARGEST = 512 * MIB


class _Folder:
    """A folder of this machine; its links are not followed here."""

    def __init__(self, path: str) -> None:
        self._path = path

    def get(self, name: str) -> Entry | None:
        """The entry of that name; also one that may not be looked at is none."""
        path = os.path.join(self._path, name)
        try:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                return os.readlink(path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        if stat.S_ISDIR(found.st_mode):
            return _Folder(path)
        return DiskFile(path, found.st_size, found.st_mtime) if stat.S_ISREG(found.st_mode) else Special()

    def __iter__(self) -> Iterator[str]:
        return iter(os.listdir(self._path))


class _Contents:
    def read(self, file: DiskFile) -> bytes:
        """All bytes of a file. Raises OSError."""
        if file.size > _LARGEST:
            raise OSError(errno.EFBIG, "too large to be read")
        with open(file.path, "rb", opener=_unfollowed) as stream:
            return stream.read(_LARGEST)

    beginning = read

    def binary(self, file: DiskFile) -> Json | None:
        """What the binary of a Python or a C library says of itself; None of any other file."""
        return _binary.drawn(self.read(file))

    def ahead(self, files: Iterable[DiskFile], *, whole: bool = True) -> None:
        """Reading one file costs as much as it does."""


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def open_root(path: str) -> Tree:
    """The tree of a folder; nothing outside of it is ever looked at."""
    return Tree(_Folder(os.path.abspath(path)), _Contents())
