"""Files by their names, in a folder or in an uncompressed tar archive, where nothing is unpacked.

An archive is listed by seeking from header to header, so that one of many gigabytes costs what its headers cost.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import stat
import zlib
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from envaudit.errors import TargetError
from envaudit.images import _tar

_MEMBERS: Final = 1 << 14
"""Members of an archive that are listed. Archives of images have a few for each layer."""
_HOPS: Final = 8
"""Links that are followed to a file; layers that are equal are links to one of them."""
_HEAD: Final = 1 << 20
_BUFFER: Final = 128 * 1024
_ROOT: Final = frozenset(("etc", "usr", "proc", ".dockerenv"))
"""What a root file system has at its top, and no archive of an image."""
MARKS: Final = ("manifest.json", "index.json")
_OURS: Final = re.compile(r"(?:manifest|index)\.json$|oci-layout$|blobs(?:$|/)|(?:sha256:)?[0-9a-f]{64}")
"""Names in the archive of an image: image-layout.md, and what ``docker save`` wrote before it followed that."""
_PACKED: Final = {b"\x1f\x8b": "gunzip", b"\x28\xb5\x2f\xfd": "unzstd", b"\xfd7zX": "unxz", b"BZh": "bunzip2"}


class Files(Protocol):
    """Files by their names, relative and with slashes."""

    where: str
    """The path of the place, for messages."""

    def size(self, name: str) -> int | None:
        """Bytes; None where there is no such file."""

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """The whole file, positioned at ``start``. Each call has a position of its own.

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
    """Open a file. A pipe or a device, which may never answer, is refused unread.

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


class _Place(NamedTuple):
    """Where the contents of a member lie."""

    offset: int
    size: int


class Archive:
    """The files in an uncompressed tar archive. Of equal names the last one counts."""

    def __init__(self, path: str, places: dict[str, _Place | str]) -> None:
        """``places`` holds, for a link, the name that it points to."""
        self.where = path
        self._places = places

    def size(self, name: str) -> int | None:
        """See :class:`Files`."""
        place = self._find(name)
        return place.size if place else None

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """See :class:`Files`."""
        place = self._find(name)
        if place is None:
            raise TargetError(f"{self.where}: lacks {shown(name)}: it was cut off, or saved only in part")
        return io.BufferedReader(_Slice(regular(self.where), place, start), _BUFFER)

    def _find(self, name: str) -> _Place | None:
        place = self._places.get(name)
        for _ in range(_HOPS):
            if not isinstance(place, str):
                return place
            place = self._places.get(place)
        raise TargetError(f"{self.where}: {shown(name)} is a link to a link to a link, without an end")


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own; closes the file with itself."""

    def __init__(self, file: BinaryIO, place: _Place, start: int) -> None:
        self._file, self._place, self._at = file, place, start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._place.size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: max(0, self._place.size - self._at)]
        self._file.seek(self._place.offset + self._at)
        count: int = self._file.readinto(view)  # type: ignore[attr-defined]
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def _gunzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error:
        return b""


class Kind(NamedTuple):
    """What a tar archive is."""

    image: Archive | None
    """None where it is a root file system, and read from its bytes as they are."""


def kind(path: str) -> Kind | None:
    """See whether a file is the archive of an image or a root file system; None where it is something else.

    Raises :class:`~envaudit.errors.TargetError` where it cannot be read, is damaged, or is compressed and would have
    to be unpacked to be read.
    """
    with regular(path) as file:
        head = file.read(_HEAD)
        command = next((command for magic, command in _PACKED.items() if head.startswith(magic)), None)
        if command == "gunzip":
            found = _kind(path, _tar.Cursor(iter([_gunzipped(head), b""]).__next__), whole=False)
            if found is None or found.image is None:
                return found
        if command == "gunzip" or (command and ".t" in os.path.basename(path)):
            raise TargetError(f"{path}: is compressed as a whole, so that its parts cannot be found; {command} it")
        return _kind(path, _Headers(file), whole=True)


class _Headers(_tar.Cursor):
    """A cursor that seeks over what is skipped."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(lambda: b"")
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def take(self, count: int) -> bytes:
        self._file.seek(self.position)
        data = self._file.read(count)
        self.position += len(data)
        return data

    def skip(self, count: int) -> bool:
        self.position += count
        return self.position <= self._size


def _kind(path: str, cursor: _tar.Cursor, whole: bool) -> Kind | None:
    """Tell an archive by the names in it; ``whole`` is false where only its beginning is at hand."""
    places: dict[str, _Place | str] = {}
    recognised = False
    try:
        for count, member in enumerate(_tar.members(cursor)):
            name = posixpath.normpath(member.name)
            if name.partition("/")[0] in _ROOT:
                return Kind(None)
            recognised = recognised or _OURS.match(name) is not None
            if count >= _MEMBERS:
                if recognised:
                    raise TargetError(f"{path}: has more than {_MEMBERS} members, no archive of an image has")
                return None
            if member.kind == _tar.REGULAR:
                places[name] = _Place(member.offset, member.size)
            elif member.kind == _tar.HARD:
                places[name] = posixpath.normpath(member.link)
            elif member.kind == _tar.SYMBOLIC:
                places[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.link))
    except ValueError as error:  # no tar archive, or a damaged one
        if recognised and whole:
            raise TargetError(f"{path}: is damaged: {error}") from None
    if recognised and (not whole or any(mark in places for mark in MARKS)):
        return Kind(Archive(path, places))
    return None


def shown(name: str) -> str:
    """A name that somebody else wrote, for a message."""
    return ascii(name)[1:-1][:200]
