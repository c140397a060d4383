"""What every file of this folder holds, and what a reader is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO, NamedTuple

from envaudit.artifacts._reader import FileStream, Reader, Stream
from envaudit.artifacts._stream import DecodedStream
from envaudit.needs import Needs

HEAD = 4096
"""Bytes of the start of a file that a format is told by."""

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in total."""


class Source(NamedTuple):
    """An opened model file. Nothing of it has been read but its head."""

    path: str
    file: BinaryIO
    size: int
    head: bytes
    """The first HEAD bytes, decompressed where the file is compressed."""
    compression: str | None = None
    progress: Progress | None = None

    def reader(self, start: int = 0) -> Reader:
        """A reader of the decompressed stream."""
        stream: Stream
        if self.compression:
            stream = DecodedStream(self.file, start, self.size - start, self.compression, self.path)
        else:
            stream = FileStream(self.file, start, self.size - start)
        return Reader(stream, self.path)


class Format(NamedTuple):
    """One model format."""

    title: str
    matches: Callable[[Source], bool]
    """Tells by the head; formats exclude each other."""
    read: Callable[[Source], Needs]
