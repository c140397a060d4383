"""Wheels of the package index as trees: only the members that are wanted are read, by HTTP range, and kept.

A wheel is a zip archive whose table of contents stands at its end. Where a server refuses ranges the whole file is
fetched once; its members are kept all the same.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final

from envaudit.errors import TargetError
from envaudit.surface import _archive, _http
from envaudit.surface._cache import Cache, identity
from envaudit.surface._index import Index, IndexFile, Release
from envaudit.surface._remote import SOURCES
from envaudit.surface.platform import Platform
from envaudit.surface.tree import folders_of

__all__ = ["Index", "Platform", "RangeFile", "Release", "WheelTree", "wheel"]

_TAIL: Final = 256 * 1024
_AHEAD: Final = 64 * 1024
_GAP: Final = 96 * 1024
"""Two members this near to each other are fetched in one request."""
_SLACK: Final = 2048
"""A member's local header has its own extra field, whose length only the header itself tells."""
_REQUESTS: Final = 8


class RangeFile(io.RawIOBase):
    """A file on a server, read by ranges with a little read-ahead."""

    def __init__(self, url: str, sha256: str | None) -> None:
        self._url = url
        self._position = 0
        self._parts: list[tuple[int, bytes]] = []
        answer = _http.get(url, span=(-_TAIL, 0))
        if answer.status == 206 and answer.size is not None:
            self.size = answer.size
            self._parts.append((self.size - len(answer.data), answer.data))
        else:  # the server knows no ranges, or the file is shorter
            self.size = len(answer.data)
            if sha256 and hashlib.sha256(answer.data).hexdigest() != sha256:
                raise TargetError(f"{url}: is not the file that the index lists (its SHA-256 differs)")
            self._parts.append((0, answer.data))

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be sought in."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        end = self.size if size < 0 else min(self.size, self._position + size)
        if self._position >= end:
            return b""
        found = self._held(self._position, end)
        if found is None:
            self.fetch([(self._position, min(self.size, max(end, self._position + _AHEAD)))])
            found = self._held(self._position, end)
        if found is None:
            raise TargetError(f"{self._url}: the server cut its answer short")
        self._position = end
        return found

    def fetch(self, spans: Sequence[tuple[int, int]]) -> None:
        """Bring spans of bytes, several requests at a time."""
        missing = [span for span in spans if self._held(*span) is None]
        if len(missing) > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(_REQUESTS) as pool:
                answers = list(pool.map(lambda span: _http.get(self._url, span=span), missing))
        else:
            answers = [_http.get(self._url, span=span) for span in missing]
        self._parts += [
            (span[0] if answer.status == 206 else 0, answer.data) for span, answer in zip(missing, answers, strict=True)
        ]

    def forget(self) -> None:
        """Drop what was brought, but for the first part, which holds the table of contents."""
        del self._parts[1:]

    def _held(self, start: int, end: int) -> bytes | None:
        for begin, data in self._parts:
            if begin <= start and end <= begin + len(data):
                return data[start - begin : end - begin]
        return None


class WheelTree:
    """One wheel, as it would lie in site-packages."""

    def __init__(self, file: IndexFile, cache: Cache) -> None:
        self.file = file
        self._cache = cache
        self._identity = identity(file.filename, file.sha256, file.url)
        self._archive: zipfile.ZipFile | None = None
        self._range: RangeFile | None = None
        self._members: dict[str, str] | None = None
        self._folders: dict[str, frozenset[str]] = {}

    def read(self, path: str) -> bytes | None:
        """The contents of a file; None where the wheel has none of that name."""
        member = self._listed().get(path)
        if member is None:
            return None
        data = self._cache.member(self._identity, member)
        if data is None:
            data = self._unpack([member])[member]
        return data

    def names(self, folder: str) -> frozenset[str] | None:
        """The entries of a folder; None where there is none."""
        self._listed()
        return self._folders.get(folder)

    def prefetch(self) -> None:
        """Bring all sources but those of tests, in as few requests as their places in the archive allow."""
        wanted = [
            member
            for path, member in self._listed().items()
            if path.endswith(SOURCES) and not {"tests", "test"} & set(path.split("/")[:-1])
        ]
        missing = [member for member in wanted if not self._cache.has_member(self._identity, member)]
        if missing:
            self._unpack(missing)

    def _listed(self) -> dict[str, str]:
        """Installed path -> member."""
        if self._members is None:
            names = self._cache.listing(self._identity)
            if names is None:
                names = self._open().namelist()
                self._cache.keep_listing(self._identity, names)
            self._members = {_installed(name): name for name in names if not name.endswith("/")}
            self._folders = folders_of(self._members)
        return self._members

    def _open(self) -> zipfile.ZipFile:
        if self._archive is None:
            self._range = RangeFile(self.file.url, self.file.sha256)
            try:
                self._archive = zipfile.ZipFile(self._range)
            except _archive.UNSOUND:
                raise TargetError(f"{self.file.url}: is no wheel") from None
        return self._archive

    def _unpack(self, members: Iterable[str]) -> dict[str, bytes]:
        """Fetch and unpack members, and keep them."""
        archive = self._open()
        assert self._range is not None
        found = {}
        try:
            infos = sorted((archive.getinfo(member) for member in members), key=lambda info: info.header_offset)
            self._range.fetch(_spans(infos, self._range.size))
            for info in infos:
                found[info.filename] = _archive.unpacked(archive, info)
                self._cache.keep_member(self._identity, info.filename, found[info.filename])
        except _archive.UNSOUND as error:
            raise TargetError(f"{self.file.url}: is damaged: {error}") from None
        self._range.forget()
        return found

    def __repr__(self) -> str:
        return f"<wheel {self.file.filename}>"


def _installed(member: str) -> str:
    """Where an installer puts a member (PyPA "Binary distribution format": NAME.data/purelib and platlib)."""
    top, _, rest = member.partition("/")
    kind, _, path = rest.partition("/")
    return path if top.endswith(".data") and kind in ("purelib", "platlib") else member


def _spans(infos: Sequence[zipfile.ZipInfo], size: int) -> list[tuple[int, int]]:
    """The ranges that hold these members with their headers; near ones are joined."""
    spans: list[tuple[int, int]] = []
    for info in infos:
        start = info.header_offset
        end = min(size, start + 30 + len(info.filename.encode()) + _SLACK + info.compress_size)
        if spans and start - spans[-1][1] < _GAP:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def wheel(index: Index, distribution: str, version: str, platform: Platform) -> WheelTree | None:
    """The wheel of one release for a platform, to be laid over a surface; None where there is none."""
    release = index.release(distribution, version)
    file = release.wheel(platform) if release else None
    return WheelTree(file, index.cache) if file else None
