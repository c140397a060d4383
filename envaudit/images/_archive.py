"""The files in a tar archive, which is not unpacked, and what an archive is by the names in it.

An archive is listed by seeking from header to header, so that one of many gigabytes costs what its headers cost. One
that is compressed as a whole (``docker save | gzip``) is gone through once to be listed, and from the nearest mark on
for what is read of it.
"""

from __future__ import annotations

import io
import os
import posixpath
import re
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import TargetError
from envaudit.images import _tar
from envaudit.images._files import regular, shown
from envaudit.images._unpack import Read, Way
from envaudit.images.source import Layer
from envaudit.model import Json

_MEMBERS: Final = 1 << 14
"""Members of an archive that are listed. Archives of images have a few for each layer."""
_HOPS: Final = 8
"""Links that are followed to a file; layers that are equal are links to one of them."""
_HEAD: Final = 1 << 20
"""Unpacked bytes at the beginning of a compressed archive that show what it is."""
_BUFFER: Final = 64 * 1024
"""Less than is asked for at a time when a layer is gone through: what is asked for is then not copied once more."""
_ROOT: Final = frozenset(("etc", "usr", "proc", ".dockerenv"))
"""What a root file system has at its top, and no archive of an image."""
_MARKS: Final = ("manifest.json", "index.json")
_OURS: Final = re.compile(r"(?:manifest|index)\.json$|oci-layout$|blobs(?:$|/)|(?:sha256:)?[0-9a-f]{64}")
"""Names in the archive of an image: image-layout.md, and what ``docker save`` wrote before it followed that."""
_GZIP: Final = b"\x1f\x8b"
_COMMANDS: Final = {b"\x28\xb5\x2f\xfd": "unzstd", b"\xfd7zX": "unxz", b"BZh": "bunzip2"}
"""What unpacks a file, by its first bytes, where envaudit does not."""


class Place(NamedTuple):
    """Where the contents of a member lie."""

    offset: int
    size: int


class Archive:
    """The files in a tar archive (:class:`~envaudit.images._files.Files`). Of equal names the last one counts."""

    def __init__(self, path: str, places: dict[str, Place | str], opener: Callable[[Place, int], BinaryIO]) -> None:
        """``places`` holds, for a link, the name that it points to; ``opener`` opens a place at an offset in it."""
        self.where = path
        self._places = places
        self._opener = opener

    def size(self, name: str) -> int | None:
        """See :class:`~envaudit.images._files.Files`."""
        place = self._find(name)
        return place.size if place else None

    def open(self, name: str, start: int = 0) -> BinaryIO:
        """See :class:`~envaudit.images._files.Files`."""
        place = self._find(name)
        if place is None:
            raise TargetError(f"{self.where}: lacks {shown(name)}: it was cut off, or saved only in part")
        return self._opener(place, start)

    def _find(self, name: str) -> Place | None:
        place = self._places.get(name)
        for _ in range(_HOPS):
            if not isinstance(place, str):
                return place
            place = self._places.get(place)
        raise TargetError(f"{self.where}: {shown(name)} is a link to a link to a link, without an end")


class Kind(NamedTuple):
    """What a tar archive is."""

    image: Archive | None
    """None where it is a root file system, and read from its bytes as they are."""


def kind(path: str, progress: Callable[[str], None] = lambda message: None, *, whole: bool = True) -> Kind | None:
    """See whether a file is the archive of an image or a root file system; None where it is something else.

    Without ``whole`` only the beginning of what is compressed is looked at, and there is no opening its files. Raises
    :class:`~envaudit.errors.TargetError` where it cannot be read, is damaged, or is compressed in another way than
    with gzip.
    """
    with regular(path) as file:
        head = file.read(_HEAD)
        if not head.startswith(_GZIP):
            command = next((command for magic, command in _COMMANDS.items() if head.startswith(magic)), None)
            if command and ".t" in os.path.basename(path):
                raise TargetError(f"{path}: is compressed, and not with gzip; {command} it")
            return _told(path, _Headers(file), lambda place, start: _opened(_Slice(regular(path), place, start)))
    found = _told(path, _tar.Cursor(iter([_gunzipped(head), b""]).__next__), _closed, whole=False)
    if found is None or found.image is None or not whole:
        return found
    progress(f"going through {path}, which is compressed")
    packed = Layer("", os.path.getsize(path))
    way = Way(packed)
    with regular(path) as file:
        cursor = _tar.Cursor(_naming(path, way.read(file, checked=False)))
        return _told(path, cursor, lambda place, start: _opened(_Unpacked(way, path, place, start)))


def _naming(path: str, read: Read) -> Read:
    """The same, save that an error names the file."""

    def named() -> bytes | memoryview:
        try:
            return read()
        except TargetError as error:
            raise TargetError(f"{path}: {error}") from None

    return named


def _told(
    path: str, cursor: _tar.Cursor, opener: Callable[[Place, int], BinaryIO], *, whole: bool = True
) -> Kind | None:
    """Tell an archive by the names in it; ``whole`` is false where only its beginning is at hand."""
    places: dict[str, Place | str] = {}
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
                places[name] = Place(member.offset, member.size)
            elif member.kind == _tar.HARD:
                places[name] = posixpath.normpath(member.link)
            elif member.kind == _tar.SYMBOLIC:
                places[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.link))
    except ValueError as error:  # no tar archive, or a damaged one
        if recognised and whole:
            raise TargetError(f"{path}: is damaged: {error}") from None
    if recognised and (not whole or any(mark in places for mark in _MARKS)):
        return Kind(Archive(path, places, opener))
    return None


def _gunzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error:
        return b""


def _closed(place: Place, start: int) -> BinaryIO:
    raise TargetError("only the beginning of this archive was looked at")


def _opened(raw: io.RawIOBase) -> BinaryIO:
    return io.BufferedReader(raw, _BUFFER)


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


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own; closes the file with itself."""

    def __init__(self, file: BinaryIO, place: Place, start: int) -> None:
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


class _Packed(NamedTuple):
    """A compressed file as a source of one layer, itself."""

    path: str
    config: dict[str, Json] = {}  # noqa: RUF012  (never mutated)
    facts: dict[str, Json] = {}  # noqa: RUF012
    layers: tuple[Layer, ...] = ()

    def open(self, layer: Layer, start: int = 0) -> BinaryIO:
        return regular(self.path, start)


class _Unpacked(io.RawIOBase):
    """A part of what a compressed file holds."""

    def __init__(self, way: Way, path: str, place: Place, start: int) -> None:
        self._stack = ExitStack()
        self._at, self._end = place.offset + start, place.offset + place.size
        self._cursor = self._stack.enter_context(way.open(_Packed(path), self._at))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._end or not self._cursor.skip(self._at - self._cursor.position):
            return 0
        data = self._cursor.take(min(len(buffer), self._end - self._at))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._stack.close()
        super().close()
