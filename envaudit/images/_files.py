"""Files by their names, wherever they lie: in a folder, or in an archive (:mod:`envaudit.images._archive`)."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO, Protocol

from envaudit.errors import TargetError


class Files(Protocol):
    """Files by their names, relative and with slashes."""

    where: str
    """The path of the place, for messages."""

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such file."""

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """The file from an offset on. Each call has a position of its own.

        Raises :class:`~envaudit.errors.TargetError` where there is none, or it is something else than a file.
        """


def read(files: Files, name: str, cap: int) -> bytes:
    """The contents of a file, one byte more than ``cap`` at most; raises as :meth:`Files.open` does."""
    with files.open(name) as file:
        return file.read(cap + 1)


class Folder:
    """The files below a folder."""

    def __init__(self, path: str) -> None:
        self.where = path

    def size(self, name: str) -> int | None:
        """See :class:`Files`."""
        try:
            found = os.stat(os.path.join(self.where, name))
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """See :class:`Files`."""
        return regular(os.path.join(self.where, name), start)


def regular(path: str, start: int = 0) -> BinaryIO:
    """Open a file at an offset. A pipe or a device, which may never answer, is refused unread.

    Raises :class:`~envaudit.errors.TargetError`.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise TargetError(f"{path}: cannot be read: is no regular file")
    file.seek(start)
    return file


def shown(name: str) -> str:
    """A name that somebody else wrote, for a message."""
    return ascii(name)[1:-1][:200]
