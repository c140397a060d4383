"""What every file of this folder holds, and what a reader is given."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import BinaryIO, NamedTuple

from envaudit.artifacts._reader import FileStream, Progress, Reader, Stream
from envaudit.artifacts._stream import DecodedStream
from envaudit.artifacts._zip import Member, members_of
from envaudit.needs import Needs

HEAD = 4096
"""Bytes of the start of a file that a format is told by."""


class Source:
    """An opened model file."""

    def __init__(
        self,
        path: str,
        file: BinaryIO,
        progress: Progress | None = None,
        compression: str | None = None,
        member: Member | None = None,
    ) -> None:
        self.path = path
        self.file = file
        self.progress = progress
        self.compression = compression
        """Of the whole file; ``zip`` where it is an archive of one member."""
        self.size = os.fstat(file.fileno()).st_size
        self._part = member or Member(path, 0, self.size, compression)
        self.head = self.stream().read(HEAD)
        """The first bytes, decompressed where the file is compressed."""

    def stream(self, member: Member | None = None) -> Stream:
        """The decompressed bytes of the file, or of a member of it."""
        part = member or self._part
        name = f"{self.path} ({part.name})" if member else self.path
        if part.compression:
            return DecodedStream(self.file, part.start, part.length, part.compression, name, self.progress)
        return FileStream(self.file, part.start, part.length, self.progress)

    def reader(self, member: Member | None = None) -> Reader:
        """A reader of that."""
        return Reader(self.stream(member), f"{self.path} ({member.name})" if member else self.path)

    @cached_property
    def members(self) -> dict[str, Member]:
        """The members of a zip archive by name; empty where the file is none."""
        is_zip = self.compression is None and self.head.startswith(b"PK\x03\x04")
        return members_of(self.file, self.size, self.path) if is_zip else {}


class Format(NamedTuple):
    """One model format."""

    title: str
    matches: Callable[[Source], bool]
    """Tells by the head or the members; formats exclude each other."""
    read: Callable[[Source], Needs]
