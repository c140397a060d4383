"""The contents of files in layers: what was kept when they were indexed, and the rest from the layers once more.

A layer that is compressed can only be read forwards. So whoever needs several files says so beforehand, and the places
that were passed are remembered: a second way to the same file is short.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from envaudit.errors import TargetError
from envaudit.evidence import MIB
from envaudit.images import _unpack
from envaudit.images.layer import Index
from envaudit.images.source import Layer, Source
from envaudit.images.tree import File
from envaudit.model import Json

AT_ONCE: Final = max(2, min(4, os.cpu_count() or 2))
"""Layers that are read at a time: unpacking and hashing leave Python's lock to others."""
_LARGEST: Final = 512 * MIB
"""Bytes of one file; catboost's compiled module has 264 MB."""
_HELD: Final = 256 * MIB
"""Bytes of files that wait to be read."""
_NEAR: Final = 4 * MIB
"""A file that is at most so far ahead is gone to instead of being sought."""


class LayerContents:
    """The contents of the files of an image."""

    def __init__(self, source: Source, ways: dict[Layer, _unpack.Way]) -> None:
        self._source = source
        self._ways = ways
        self._kept: dict[tuple[Layer, int], bytes] = {}
        self._binaries: dict[tuple[Layer, int], Json] = {}
        self._held: dict[File, bytes] = {}

    def know(self, layer: Layer, index: Index) -> None:
        """Take in what was kept of a layer."""
        self._kept.update(((layer, offset), data) for offset, data in index.kept.items())
        self._binaries.update(((layer, offset), facts) for offset, facts in index.binaries.items())

    def binary(self, file: File) -> Json | None:
        """What a Python's or a C library's own binary says (:mod:`envaudit.images._binary`)."""
        return self._binaries.get((file.layer, file.offset))

    def read(self, file: File) -> bytes:
        """All bytes of a file. Raises OSError where they cannot be read."""
        kept = self._kept.get((file.layer, file.offset))
        if kept is not None and len(kept) == file.size:
            return kept
        if not file.size:
            return b""
        if file not in self._held:
            self.ahead([file])
        if file not in self._held:
            why = "a sparse member is not read" if file.offset < 0 else "too large to be read"
            raise OSError(errno.EIO, why)
        return self._held[file]

    def beginning(self, file: File) -> bytes:
        """What was kept of a file, else all of it. Raises OSError."""
        kept = self._kept.get((file.layer, file.offset))
        return self.read(file) if kept is None else kept

    def ahead(self, files: Iterable[File], *, whole: bool = True) -> None:
        """Read files, every layer once, and hold them; not ``whole``: those of which nothing was kept."""
        wanted: dict[Layer, list[File]] = {}
        room = _HELD
        for file in dict.fromkeys(files):
            known = self._held.get(file) or self._kept.get((file.layer, file.offset))
            enough = known is not None and (not whole or len(known) == file.size)
            if not enough and file.offset >= 0 and 0 < file.size <= _LARGEST and (file.size <= room or not wanted):
                wanted.setdefault(file.layer, []).append(file)
                room -= file.size
        if not wanted:
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for found in pool.map(lambda item: list(self._scan(*item)), wanted.items()):
                for file, data in found:
                    self._held[file] = data
        size = sum(map(len, self._held.values()))
        for file in list(self._held):
            if size <= _HELD or file in wanted.get(file.layer, ()):
                break
            size -= len(self._held.pop(file))

    def _scan(self, layer: Layer, files: list[File]) -> Iterator[tuple[File, bytes]]:
        """The contents of files of one layer, in one go forwards."""
        way = self._ways[layer]
        files = sorted(files, key=lambda file: file.offset)
        while files:
            with way.open(self._source, files[0].offset) as cursor:
                while files and (
                    files[0].offset - cursor.position <= _NEAR or not way.shorter(cursor.position, files[0].offset)
                ):
                    file = files.pop(0)
                    cursor.skip(file.offset - cursor.position)
                    data = cursor.take(file.size)
                    if len(data) < file.size:
                        raise TargetError(f"{_unpack.name(layer)} ends in the middle of a file")
                    yield file, data
