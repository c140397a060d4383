"""The uncompressed bytes of a layer, checked on the way: its digest, its size, and that it is no bomb.

Which compression it has is told from its first bytes (gzip: RFC 1952; zstd: RFC 8878), whatever the manifest says: what
``docker save`` writes is called gzip by some tools and is none.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, NamedTuple

from envaudit.errors import MissingExtraError, TargetError
from envaudit.evidence import MIB
from envaudit.images._tar import Cursor
from envaudit.images.source import Layer, Source

_STEP: Final = 128 * 1024
"""Stored bytes read at a time: they stay in the processor's cache until they were hashed and gone through."""
_BLOCK: Final = 512 * 1024
"""Unpacked bytes at a time."""
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPED: Final = b"\x2a\x4d\x18"
_ROOM: Final = 4 * 1024 * MIB
_RATIO: Final = 200
"""A layer that unpacks to more than 4 GiB and to more than this many times its size is refused: real ones shrink to a
half or a third, and a model full of zeros to a hundredth."""
_MARKS: Final = 128
_APART: Final = 16 * MIB
"""Unpacked bytes between two marks, of 40 kB each; doubled where there would be too many."""

Blocks = Iterator[bytes | memoryview]
Read = Callable[[], bytes | memoryview]
"""The next bytes, none at the end. What it gave before may be overwritten then."""


class Mark(NamedTuple):
    """A place from which a layer can be unpacked."""

    position: int
    """Unpacked bytes before it."""
    stored: int = 0
    """Stored bytes before it."""
    unpacker: Any = None
    """In the state that it has there; None at the beginning."""


class Way:
    """How to get to a place in a layer without unpacking it from its beginning each time."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._marks = [Mark(0)]
        self._apart = _APART
        self._plain: bool | None = None

    def read(self, stream: BinaryIO, *, checked: bool = True) -> Read:
        """How to ask for the unpacked bytes of the whole layer, whose stored ones come from a stream.

        ``checked``: against the layer's digest and size, at the end. Asking raises
        :class:`~envaudit.errors.TargetError` where they are wrong, or the layer is damaged.
        """
        stored = _Stored(stream, self.layer, checked=checked)
        first = stored.read()
        magic = bytes(first[:4])
        self._plain = False
        if magic[:2] == _GZIP:
            blocks = self._guarded(_gunzipped(stored.read, first, Mark(0), self._note), stored)
        elif magic == _ZSTD or magic[1:] == _ZSTD_SKIPPED:
            blocks = self._guarded(_unzstd(stored.read, first), stored)
        else:
            self._plain = True
            blocks = _all(stored.read, first)
        if checked and not self.layer.digest and self.layer.diff_id:
            blocks = self._hashed(blocks, self.layer.diff_id)
        return lambda: next(blocks, b"")

    @contextmanager
    def open(self, source: Source, position: int) -> Iterator[Cursor]:
        """The unpacked bytes from some place at or before a position on; they are not checked."""
        mark = Mark(position, position) if self._plain else self._before(position)
        with source.open(self.layer, mark.stored) as stream:
            if mark.unpacker is not None:
                stored = _Stored(stream, self.layer, checked=False)
                resumed = mark._replace(unpacker=mark.unpacker.copy())
                blocks = self._guarded(_gunzipped(stored.read, stored.read(), resumed, self._note), stored)
                yield Cursor(lambda: next(blocks, b""), mark.position)
            elif self._plain:
                yield Cursor(_Stored(stream, self.layer, checked=False).read, position)
            else:
                yield Cursor(self.read(stream, checked=False))

    def shorter(self, here: int, position: int) -> bool:
        """Whether it is shorter to open the layer anew than to go on from here."""
        if self._plain:
            return not self.layer.forwards
        return self._before(position).position > here

    def _before(self, position: int) -> Mark:
        return max((mark for mark in self._marks if mark.position <= position), key=lambda mark: mark.position)

    def _note(self, position: int, stored: int, unpacker: Any) -> None:
        if position - self._marks[-1].position >= self._apart:
            self._marks.append(Mark(position, stored, unpacker.copy()))
            if len(self._marks) > _MARKS:
                del self._marks[1::2]
                self._apart *= 2

    def _hashed(self, blocks: Blocks, diff_id: str) -> Blocks:
        """The same blocks, of a layer of which the image gives no digest as it is stored."""
        algorithm, _, wanted = diff_id.partition(":")
        found = hashlib.new(algorithm, usedforsecurity=False)
        for block in blocks:
            found.update(block)
            yield block
        if found.hexdigest() != wanted:
            raise TargetError(f"{name(self.layer)} is damaged: its digest is not the one that the image says")

    def _guarded(self, blocks: Blocks, stored: _Stored) -> Blocks:
        size = 0
        try:
            for block in blocks:
                size += len(block)
                if size > _ROOM and size > _RATIO * stored.size:
                    raise TargetError(f"{name(self.layer)} unpacks to more than {_RATIO} times its size: no layer does")
                yield block
        except zlib.error as error:
            raise TargetError(f"{name(self.layer)} is damaged: {error}") from None


def name(layer: Layer) -> str:
    """The layer in a message."""
    return f"layer {layer.digest or layer.diff_id}" if layer.digest or layer.diff_id else "the archive"


class _Stored:
    """The stored bytes of a layer, hashed and counted as they are read."""

    def __init__(self, stream: BinaryIO, layer: Layer, *, checked: bool) -> None:
        self._stream: Any = stream
        self._layer = layer
        algorithm, _, self._wanted = layer.digest.partition(":")
        self._size = layer.size if checked else None
        known = checked and algorithm in hashlib.algorithms_available
        self._hash = hashlib.new(algorithm, usedforsecurity=False) if known else None
        # Of its own pages: to a place some bytes behind the beginning of a page, AMD's processors may copy at a quarter
        # of the speed.
        self._buffer = memoryview(mmap.mmap(-1, _STEP))
        self.size = 0

    def read(self) -> memoryview:
        """The next bytes, which the next call overwrites; none at the end, where all is checked."""
        data = self._buffer[: self._stream.readinto(self._buffer) or 0]
        self.size += len(data)
        if self._size is not None and (self.size > self._size or (not data and self.size < self._size)):
            raise TargetError(f"{name(self._layer)} does not have the {self._size} bytes that the image says")
        if self._hash is not None:
            self._hash.update(data)
            if not data and self._hash.hexdigest() != self._wanted:
                raise TargetError(f"{name(self._layer)} is damaged: its digest is not the one that the image says")
        return data


def _all(read: Read, data: bytes | memoryview) -> Blocks:
    while data:
        yield data
        data = read()


def _gunzipped(read: Read, data: bytes | memoryview, mark: Mark, note: Callable[[int, int, Any], None]) -> Blocks:
    """Any number of gzip members (RFC 1952, section 2.2), from a mark on; what follows and is none is passed over."""
    position, stored, unpacker = mark
    unpacker = unpacker or zlib.decompressobj(wbits=31)
    while data:
        stored += len(data)
        rest: bytes | memoryview = data
        while rest:
            if unpacker.eof:
                if bytes(rest[:2]) != _GZIP:
                    break
                unpacker = zlib.decompressobj(wbits=31)
            block = unpacker.decompress(rest, _BLOCK)
            if block:
                position += len(block)
                yield block
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if not unpacker.eof:
            note(position, stored, unpacker)
        data = read()
    if not unpacker.eof:
        raise zlib.error("it ends in the middle")


def _unzstd(read: Read, data: bytes | memoryview) -> Blocks:
    """Any number of zstd frames (RFC 8878, section 3), skippable ones included."""
    zstd = _zstd()
    unpacker = zstd.ZstdDecompressor()
    try:
        while data:
            rest: bytes | memoryview = data
            while rest or not (unpacker.needs_input or unpacker.eof):
                if unpacker.eof:
                    unpacker = zstd.ZstdDecompressor()
                block = unpacker.decompress(rest, _BLOCK)
                if block:
                    yield block
                rest = unpacker.unused_data if unpacker.eof else b""
            data = read()
        if not unpacker.eof:
            raise zlib.error("it ends in the middle")
    except zstd.ZstdError as error:
        raise zlib.error(" ".join(str(error).split())) from None


def _zstd() -> Any:
    """The standard library's (Python 3.14) or its backport."""
    import importlib

    for module in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(module)
        except ImportError:  # noqa: PERF203
            continue
    raise MissingExtraError("docker", "reading layers packed with zstd")
