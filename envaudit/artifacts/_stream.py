"""Opening a model file: which compression it has, and a bounded stream of what is inside."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, Final

from envaudit.artifacts._reader import Progress
from envaudit.errors import ArtifactError, MissingExtraError, UnreadFormatError

CHUNK: Final = 1 << 18
MAX_RATIO: Final = 200
MAX_BLOWN: Final = 1 << 30
"""Beyond this many bytes of output a ratio above MAX_RATIO is taken for a compression bomb."""
MAX_MEMBERS: Final = 20_000
"""Compressed streams one after the other."""
MAGIC_BYTES: Final = 8
MAX_LZMA: Final = 100 << 20
"""Memory of the LZMA decoder; the highest preset needs 65 MB."""

MAGICS: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


def compression_of(head: bytes) -> str | None:
    """The compression that a file's first bytes show."""
    for magic, name in MAGICS:
        if head.startswith(magic):
            return name
    # RFC 1950: deflate with a window of at most 32 KB, and a check on the two bytes.
    if len(head) > 2 and head[0] == 0x78 and (head[0] << 8 | head[1]) % 31 == 0:
        return "zlib"
    return None


def _lz4() -> Any:
    try:
        frame = import_module("lz4.frame")
    except ImportError:
        raise MissingExtraError("lz4", "reading a file compressed with lz4") from None
    return frame.LZ4FrameDecompressor()


_OPENERS: Final[dict[str, Callable[[], Any]]] = {
    "zlib": lambda: _Deflate(15),
    "gzip": lambda: _Deflate(31),
    "deflate": lambda: _Deflate(-15),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_LZMA),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_LZMA),
    "lz4": _lz4,
}
_MULTIPLE: Final = ("gzip", "bz2", "xz")
"""Several of these may stand one after the other."""


class _Deflate:
    """zlib behind the interface of the other decompressors: it hands out at most what is asked for."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, size: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, size)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


class DecodedStream:
    """The decompressed bytes of a part of a file."""

    def __init__(
        self, file: BinaryIO, start: int, length: int, kind: str, name: str, progress: Progress | None = None
    ) -> None:
        if kind not in _OPENERS:
            raise UnreadFormatError(f"{name}: compressed with {kind}, which is not read: decompress it first")
        self._file = file
        self._at = start
        self._end = start + length
        self._kind = kind
        self._name = name
        self._progress = progress
        self._decoder = _OPENERS[kind]()
        self._fresh = True
        self._pending = b""
        """What was read and not yet given to the decoder."""
        self._members = 0
        self._out = 0
        self._in = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` decompressed bytes; empty at the end only."""
        while True:
            if self._decoder.eof and not self._next_member():
                return b""
            data = b""
            if self._decoder.needs_input:
                data, self._pending = self._pending, b""
                if not data:
                    self._file.seek(self._at)
                    data = self._file.read(min(CHUNK, self._end - self._at))
                    self._at += len(data)
                    self._in += len(data)
                if self._progress:
                    self._progress(self._at, self._end)
                if not data and self._fresh:
                    return b""
                if not data:
                    raise ArtifactError(
                        f"{self._name}: truncated: the {self._kind} data ends at byte {self._at}; copy it again"
                    )
            try:
                out: bytes = self._decoder.decompress(data, size)
            except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError) as error:
                raise ArtifactError(f"{self._name}: damaged {self._kind} data near byte {self._at}: {error}") from None
            self._fresh = False
            if out:
                self._count(len(out))
                return out

    def skip(self, size: int) -> int:
        """Decompress and discard."""
        passed = 0
        while passed < size:
            chunk = self.read(min(size - passed, CHUNK))
            if not chunk:
                break
            passed += len(chunk)
        return passed

    def _next_member(self) -> bool:
        if self._kind not in _MULTIPLE:
            return False
        rest = self._decoder.unused_data
        if len(rest) < MAGIC_BYTES:
            self._file.seek(self._at)
            more = self._file.read(min(CHUNK, self._end - self._at))
            self._at += len(more)
            self._in += len(more)
            rest += more
        if compression_of(rest[:MAGIC_BYTES]) != self._kind:
            return False
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ArtifactError(f"{self._name}: more than {MAX_MEMBERS} {self._kind} members: beyond the limits")
        self._decoder = _OPENERS[self._kind]()
        self._pending = rest
        return True

    def _count(self, size: int) -> None:
        self._out += size
        if self._out > MAX_BLOWN and self._out > MAX_RATIO * self._in:
            raise ArtifactError(
                f"{self._name}: a compression bomb: {self._in} bytes have become {self._out}; it is not read further"
            )
