"""The file tree of an image of the local engine, as ``docker export`` writes it: nothing of the image is run.

The engine itself puts the layers together; the container that it needs for that is made, never started, and removed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple, cast

from envaudit.images.source import Layer
from envaudit.model import Json
from envaudit.targets import _engine


class Exported(NamedTuple):
    """A :class:`~envaudit.images.source.Source`: one layer, which holds everything."""

    image: str
    """The image's id."""
    timeout: float
    config: dict[str, Json] = {}  # noqa: RUF012  (what the engine says of the image is known otherwise)
    facts: dict[str, Json] = {}  # noqa: RUF012

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The export; the image's id stands for what is in it."""
        return (Layer(f"export-of-{self.image}", forwards=True),)

    @contextmanager
    def open(self, layer: Layer, start: int = 0) -> Iterator[BinaryIO]:
        """The archive from an offset on."""
        name = f"envaudit-{os.urandom(6).hex()}"
        with _engine.connect(self.timeout) as client:
            created = False
            try:
                client.create_container(
                    self.image,
                    name=name,
                    entrypoint=["/envaudit-never-started"],
                    network_disabled=True,
                    labels={_engine.LABEL: "export"},
                )
                created = True
                stream = _Chunks(client.export(name))
                stream.skip(start)
                yield cast(BinaryIO, stream)
            finally:
                _engine.remove(client, name, created)


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def skip(self, count: int) -> None:
        """Pass over bytes that were read before."""
        buffer = bytearray(1 << 20)
        while count > 0:
            read = self.readinto(memoryview(buffer)[: min(count, len(buffer))])
            if not read:
                return
            count -= read
