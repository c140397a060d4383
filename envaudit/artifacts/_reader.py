"""Reading a stream of opcodes through a small window: what is long is skipped by seeking, never allocated first."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol

from envaudit.errors import ArtifactError

WINDOW: Final = 1 << 16
FIRST_WINDOW: Final = 1 << 12
"""After a skip little is read at first: between two arrays there are mostly a few hundred bytes."""
MARGIN: Final = 300
"""Bytes that every inlined opcode fits into: the longest is SHORT_BINUNICODE with 2 + 255."""
KEPT_BYTES: Final = 4096
"""Strings and bytes up to this long are kept whole."""
EDGE: Final = 256
"""Of longer ones this much of the start (and of the end) is kept."""

_PADDING: Final = bytes(MARGIN)


Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in total."""


class Stream(Protocol):
    """Bytes from a file, a part of it, or a decompressor."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; empty at the end only."""

    def skip(self, size: int) -> int:
        """Pass over up to ``size`` bytes and say over how many."""


class FileStream:
    """A part of a file that can be sought."""

    def __init__(self, file: BinaryIO, start: int, length: int, progress: Progress | None = None) -> None:
        self._file = file
        self._at = start
        self._end = start + length
        self._progress = progress

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        self._file.seek(self._at)
        chunk = self._file.read(min(size, self._end - self._at))
        self._at += len(chunk)
        if self._progress:
            self._progress(self._at, self._end)
        return chunk

    def skip(self, size: int) -> int:
        """Pass over bytes at no cost."""
        passed = min(size, self._end - self._at)
        self._at += passed
        return passed


class BytesStream:
    """Bytes that are in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        self._at += size
        return self._data[self._at - size : self._at]

    def skip(self, size: int) -> int:
        """Pass over bytes at no cost."""
        passed = max(0, min(size, len(self._data) - self._at))
        self._at += passed
        return passed


class Reader:
    """A window on a stream. The opcode loop works on ``window`` and ``pos`` themselves; the rest uses the methods.

    At the end of the stream the window is padded with zeros, which are no opcode: so no access needs a check of its
    own, and running into the padding is how truncation shows.
    """

    __slots__ = ("base", "chunk", "end", "ended", "name", "pos", "soft", "stream", "walked", "window")

    def __init__(self, stream: Stream, name: str) -> None:
        self.stream = stream
        self.name = name
        self.window = b""
        self.base = 0
        """Offset in the stream of the window's first byte."""
        self.pos = 0
        self.end = 0
        """Where the real bytes of the window end."""
        self.soft = -1
        """Up to this position MARGIN bytes are there, or the stream has ended."""
        self.ended = False
        self.chunk = WINDOW
        """How much the next refill asks for."""
        self.walked = 0
        """Bytes that went through the window, as opposed to those skipped."""
        self.refill()

    def refill(self) -> None:
        """Move the window on to ``pos``."""
        if self.ended:
            if self.pos > self.end:
                raise self.truncated()
            return
        rest = self.window[self.pos : self.end]
        chunk = b""
        self.chunk = min(self.chunk * 2, WINDOW)
        while len(rest) + len(chunk) < MARGIN:
            more = self.stream.read(self.chunk)
            if not more:
                self.ended = True
                break
            chunk += more
        self.base += self.pos
        self.walked += len(chunk)
        self.window = rest + chunk
        self.pos = 0
        self.end = len(self.window)
        self.soft = self.end - MARGIN
        if self.ended:
            self.window += _PADDING
            self.soft = self.end

    def tell(self) -> int:
        """The offset in the stream."""
        return self.base + self.pos

    def at_end(self) -> bool:
        """Whether nothing follows."""
        if self.pos >= self.end:
            self.refill()
        return self.pos >= self.end

    def take(self, size: int) -> bytes:
        """Exactly ``size`` bytes; for what is known to be small."""
        if self.end - self.pos >= size:
            self.pos += size
            return self.window[self.pos - size : self.pos]
        parts = []
        while size:
            if self.pos >= self.end:
                self.refill()
                if self.pos >= self.end:
                    raise self.truncated()
            part = self.window[self.pos : min(self.pos + size, self.end)]
            self.pos += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over ``size`` bytes, however many."""
        if size < 0:
            raise ValueError("a negative length")
        inside = self.end - self.pos
        if size <= inside:
            self.pos += size
            return
        passed = self.stream.skip(size - inside)
        if passed < size - inside:
            raise self.truncated(size)
        self.base += self.end + passed
        self.window = b""
        self.pos = self.end = 0
        self.chunk = FIRST_WINDOW // 2
        self.refill()

    def u1(self) -> int:
        """An unsigned byte."""
        return self.take(1)[0]

    def u2(self) -> int:
        """A little-endian unsigned 16-bit number."""
        return int.from_bytes(self.take(2), "little")

    def u4(self) -> int:
        """A little-endian unsigned 32-bit number."""
        return int.from_bytes(self.take(4), "little")

    def i4(self) -> int:
        """A little-endian signed 32-bit number."""
        return int.from_bytes(self.take(4), "little", signed=True)

    def u8(self) -> int:
        """A little-endian unsigned 64-bit number."""
        return int.from_bytes(self.take(8), "little")

    def f8(self) -> float:
        """A big-endian double, as BINFLOAT has it."""
        value: float = struct.unpack(">d", self.take(8))[0]
        return value

    def line(self) -> tuple[bytes, int]:
        """A line without its end, cut at KEPT_BYTES, and its real length."""
        found = self.window.find(b"\n", self.pos, self.end)
        if 0 <= found - self.pos <= KEPT_BYTES:
            line = self.window[self.pos : found]
            self.pos = found + 1
            return line, len(line)
        parts: list[bytes] = []
        length = kept = 0
        while True:
            if self.pos >= self.end:
                self.refill()
                if self.pos >= self.end:
                    raise self.truncated()
            found = self.window.find(b"\n", self.pos, self.end)
            stop = self.end if found < 0 else found
            if kept < KEPT_BYTES:
                parts.append(self.window[self.pos : min(stop, self.pos + KEPT_BYTES - kept)])
                kept += len(parts[-1])
            length += stop - self.pos
            self.pos = stop
            if found >= 0:
                self.pos += 1
                return b"".join(parts), length

    def truncated(self, wanted: int = 0) -> ArtifactError:
        """The error for a stream that ends too early."""
        more = f", where {wanted} bytes should follow" if wanted else ""
        return ArtifactError(f"{self.name}: truncated: it ends at byte {self.base + self.end}{more}; copy it again")
