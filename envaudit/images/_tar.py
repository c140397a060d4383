"""Walking through a tar archive forwards, without keeping or copying what is not wanted.

Formats: POSIX.1-2017 pax ("ustar Interchange Format", "pax Header Block"), GNU tar manual "Basic Tar Format" (long
names, sparse members, base-256 numbers). A reader of its own because :mod:`tarfile` takes four times as long for a
header, and images have 100,000 of them; tests hold both to the same answers.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

BLOCK: Final = 512
_LONGEST: Final = 1 << 20
"""Bytes of an extended header or a long name; paths of Linux have 4096 at most."""
_FARTHEST: Final = 1e15
"""Bytes or seconds: beyond, a number is no size and no time."""
_EMPTY: Final = bytes(BLOCK)
_ADLER: Final = 65521
_PAX: Final = re.compile(rb"(\d{1,20}) ([^=]+)=")
_NUMBER: Final = re.compile(rb" *([0-7]*)[ \0]*$")

REGULAR: Final = b"0"
HARD: Final = b"1"
SYMBOLIC: Final = b"2"
FOLDER: Final = b"5"
SPARSE: Final = b"S"
SPECIAL: Final = b"3"
"""A device, a pipe: anything else that takes a name."""
_KINDS: Final = {
    b"\0": REGULAR,
    b"7": REGULAR,
    b"1": HARD,
    b"2": SYMBOLIC,
    b"5": FOLDER,
    b"S": SPARSE,
    **dict.fromkeys((b"3", b"4", b"6"), SPECIAL),
}


class DamagedError(ValueError):
    """The archive ends in the middle, or is none."""


class Member(NamedTuple):
    """One member."""

    name: str
    """As written: with a trailing slash or a leading ``./`` where the archive has them. Bytes that are no UTF-8 are
    surrogates (PEP 383)."""
    kind: bytes
    size: int
    mtime: float
    """Seconds since the epoch."""
    link: str
    """Of a link, what it points to."""
    offset: int
    """Where its contents begin in the archive."""


class Cursor:
    """A place in a stream of blocks of any size, which only moves forwards."""

    def __init__(self, more: Callable[[], bytes | memoryview], position: int = 0) -> None:
        """``more`` gives the next bytes, none at the end; what it gave before may be overwritten by then."""
        self._more = more
        self._block: memoryview = memoryview(b"")
        self._at = 0
        self.position = position

    def take(self, count: int) -> bytes:
        """The next bytes; fewer only at the end."""
        end = self._at + count
        if end <= len(self._block):
            data = bytes(self._block[self._at : end])
            self._at = end
            self.position += count
            return data
        parts = []
        while count:
            if self._at == len(self._block) and not self._next():
                break
            part = bytes(self._block[self._at : self._at + count])
            parts.append(part)
            self._at += len(part)
            self.position += len(part)
            count -= len(part)
        return b"".join(parts)

    def skip(self, count: int) -> bool:
        """Go on; False where the end comes first."""
        while count > len(self._block) - self._at:
            count -= len(self._block) - self._at
            self.position += len(self._block) - self._at
            if not self._next():
                return False
        self._at += count
        self.position += count
        return True

    def drain(self) -> None:
        """Go to the end."""
        while self._next():
            pass

    def _next(self) -> bool:
        self._block, self._at = memoryview(self._more()), 0
        return len(self._block) > 0


def members(cursor: Cursor) -> Iterator[Member]:
    """The members in their order. Between two of them the cursor stands where the contents begin, and may be moved
    within them. Raises :class:`DamagedError`."""
    general: dict[bytes, bytes] = {}
    extended: dict[bytes, bytes] = {}
    name = link = b""
    while True:
        header = cursor.take(BLOCK)
        if len(header) < BLOCK:
            if header or extended or name:
                raise DamagedError("it ends in the middle of a header")
            return  # without the two empty blocks that close an archive, as GNU tar allows
        if header == _EMPTY:
            return
        # The checksum is the sum of the bytes, its own as spaces. The lower half of an Adler-32 is that sum plus one,
        # modulo 65521 (RFC 1950, section 8.2), in a tenth of the time.
        own = header[148:156]
        if (_number(own) + sum(own) - 256 + 1) % _ADLER != zlib.adler32(header) & 0xFFFF:
            raise DamagedError("a header's checksum is wrong")
        kind, size, offset = header[156:157], _number(header[124:136]), cursor.position
        if kind in b"xgLKX" and kind:
            if size > _LONGEST:
                raise DamagedError(f"a header has {size} bytes")
            data = cursor.take(size)
            if len(data) < size or not cursor.skip(-size % BLOCK):
                raise DamagedError("it ends in the middle of a header")
            if kind == b"L":
                name = data.partition(b"\0")[0]
            elif kind == b"K":
                link = data.partition(b"\0")[0]
            elif kind == b"g":
                general.update(_records(data))
            else:
                extended = _records(data)
            continue
        found = {**general, **extended} if general else extended
        if not name:
            name = header[:100].partition(b"\0")[0]
            if header[257:263] == b"ustar\0" and header[345]:
                name = header[345:500].partition(b"\0")[0] + b"/" + name
        link = link or header[157:257].partition(b"\0")[0]
        stored, mtime = size, float(_number(header[136:148]))
        known = _KINDS.get(kind, REGULAR)
        if found:
            name, link = found.get(b"path", name), found.get(b"linkpath", link)
            stored = size = int(_decimal(found.get(b"size"), size))
            mtime = _decimal(found.get(b"mtime"), mtime)
            if any(key.startswith(b"GNU.sparse.") for key in found):
                known, name = SPARSE, found.get(b"GNU.sparse.name", name)
                size = int(_decimal(found.get(b"GNU.sparse.realsize", found.get(b"GNU.sparse.size")), size))
        if kind == b"S":
            size = _number(header[483:495])
            more = header[482]
            while more:
                block = cursor.take(BLOCK)
                if len(block) < BLOCK:
                    raise DamagedError("it ends in the middle of a header")
                more = block[504]
            offset = cursor.position
        elif known is REGULAR and name.endswith(b"/"):  # the form before POSIX
            known = FOLDER
        if known not in (REGULAR, SPARSE):
            stored = size = 0
        elif size < 0 or stored < 0:
            raise DamagedError("a member has a negative size")
        else:
            offset = cursor.position
        yield Member(_text(name), known, size, mtime, _text(link) if link else "", offset)
        rest = offset + stored + -stored % BLOCK - cursor.position
        if rest < 0:
            raise DamagedError("more was read of a member than it has")
        if not cursor.skip(rest):
            raise DamagedError(f"it ends in the middle of {_text(name)[:200]!r}")
        extended, name, link = {}, b"", b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int:
    """A number field: octal digits, or base 256 where the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 2)) * 2 if field[0] & 0x40 else value
    digits = field.rstrip(b"\0 ")
    if not digits.isdigit():  # not as most programs write it: empty, or with spaces before it
        match = _NUMBER.match(field.partition(b"\0")[0])
        digits = match[1] or b"0" if match else b"none"
    try:
        return int(digits, 8)
    except ValueError:
        raise DamagedError("a header has a number that is none") from None


def _decimal(text: bytes | None, default: float) -> float:
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < _FARTHEST:
        raise DamagedError("an extended header has a number that is none")
    return value


def _records(data: bytes) -> dict[bytes, bytes]:
    """``LENGTH KEY=VALUE\\n`` records; LENGTH counts the whole record."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(data) and data[at]:
        match = _PAX.match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1] != 10:
            raise DamagedError("an extended header is not understood")
        found[match[2]] = data[match.end() : end - 1]
        at = end
    return found
