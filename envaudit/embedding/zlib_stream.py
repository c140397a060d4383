"""Zlib files (``joblib.dump(..., compress=3)``): in front of the model's pickle, as a text that is read and dropped.

The format has no room for anything but data, and nothing may follow it (:mod:`envaudit.embedding.gzip_header`). So
stored blocks are put before the others (RFC 1951, section 3.2.4), which need not be compressed again: their distances
are relative. The blocks hold BINUNICODE and POP: the unpickler pushes a text and drops it. The checksum at the end
becomes that of the longer data (RFC 1950); the old one and the length are kept in the text, to restore and check it.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from functools import partial
from typing import Final, NamedTuple

from envaudit.artifacts import compression_of
from envaudit.embedding import _records
from envaudit.embedding._embedding import MAX_PACKED
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError

_TEXT: Final = re.compile(rb"X....envaudit record ([0-9a-f]{8}) ([0-9]{1,5}) ([A-Za-z0-9+/=]*)0", re.DOTALL)
"""BINUNICODE and its length; the Adler-32 and the length modulo 65521 of the model's own data; the record; POP."""
_START: Final = re.compile(rb"X....envaudit record ", re.DOTALL)
_HEADER: Final = 2
_CHECK: Final = 4
_BLOCK: Final = 5
"""Bytes before a stored block's content: its type, the length, and the length with every bit turned."""
_STORED: Final = 0xFFFF
_BASE: Final = 65521
"""The modulus of Adler-32 (RFC 1950, section 8.2)."""
_MAX_TEXT: Final = MAX_PACKED * 4 // 3 + 64
_CHUNK: Final = 1 << 20
_MAX_RATIO: Final = 200
_MAX_BLOWN: Final = 1 << 30
"""Beyond so many bytes of data a ratio above the other is taken for a compression bomb, as reading a model does."""


class _Sum(NamedTuple):
    adler: int
    length: int
    """Modulo the base."""

    def then(self, other: _Sum) -> _Sum:
        """Of these data and others behind them (zlib's adler32.c, ``adler32_combine``)."""
        first, second = self.adler & 0xFFFF, self.adler >> 16
        low = (first + (other.adler & 0xFFFF) - 1) % _BASE
        high = (second + (other.adler >> 16) + other.length * (first - 1)) % _BASE
        return _Sum(high << 16 | low, (self.length + other.length) % _BASE)


def claims(path: str, head: bytes) -> bool:
    """A header of zlib's, by which no dictionary is wanted."""
    return compression_of(head) == "zlib" and not head[1] & 0x20


def split(file: File) -> Split:
    """The record in the stored blocks at the beginning, and the stream without them."""
    first = _stored(file, _HEADER)
    if first is None or not _START.match(first):
        return Split(None, (Span(0, file.size),))
    (length,) = struct.unpack_from("<I", first, 1)
    if length > _MAX_TEXT:
        raise EmbeddingError(f"{file.path}: the snapshot in it has {length} bytes, which is too much to be one")
    at, parts, left = _HEADER, [], 1 + 4 + length + 1
    while left > 0 and (part := _stored(file, at)):
        parts.append(part)
        left -= len(part)
        at += _BLOCK + len(part)
    data = b"".join(parts)
    match = None if left else _TEXT.fullmatch(data)
    if match is None:
        raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it does not end where it says")
    own = _Sum(int(match[1], 16), int(match[2]))
    whole = _Sum(zlib.adler32(data), len(data) % _BASE).then(own)
    if file.part(file.size - _CHECK, _CHECK) != struct.pack(">I", whole.adler):
        raise EmbeddingError(f"{file.path}: was changed after the snapshot was embedded: its checksum is another one")
    rest = Span(at, file.size - at - _CHECK)
    own_check = struct.pack(">I", own.adler)
    return Split(partial(_unpacked, match[3], file.path), (file.part(0, _HEADER), rest, own_check))


def _unpacked(text: bytes, where: str) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
    except ValueError:
        raise EmbeddingError(f"{where}: the snapshot in it is damaged: no base64") from None
    return _records.unpacked(packed, where)


def _stored(file: File, at: int) -> bytes | None:
    """The content of a stored block that is not the last one."""
    head = file.part(at, _BLOCK)
    if len(head) < _BLOCK or head[0]:
        return None
    length, inverse = struct.unpack_from("<HH", head, 1)
    return file.part(at + _BLOCK, length) if length == inverse ^ _STORED else None


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The stream with stored blocks at its beginning and another checksum."""
    rest = next(piece for piece in own if isinstance(piece, Span))
    if rest.start == 0:
        rest = Span(_HEADER, file.size - _HEADER - _CHECK)
    found = _measured(file, rest)
    if found is None:
        return None
    packed = base64.b64encode(_records.packed(text))
    text = b"envaudit record %08x %d %s" % (found.adler, found.length, packed)
    data = b"X" + struct.pack("<I", len(text)) + text + b"0"
    contents = (data[at : at + _STORED] for at in range(0, len(data), _STORED))
    blocks = (b"\0" + struct.pack("<HH", len(part), len(part) ^ _STORED) + part for part in contents)
    whole = _Sum(zlib.adler32(data), len(data) % _BASE).then(found)
    return (file.part(0, _HEADER), b"".join(blocks), rest, struct.pack(">I", whole.adler))


def _measured(file: File, data: Span) -> _Sum | None:
    """The checksum and the length of the model's data; None where the file does not end with the stream."""
    decoder, at, end = zlib.decompressobj(-15), data.start, data.start + data.length
    adler, length, pending = 1, 0, b""
    try:
        while not decoder.eof:
            if not pending:
                pending = file.part(at, min(_CHUNK, end - at))
                at += len(pending)
                if not pending:
                    return None
            out = decoder.decompress(pending, _CHUNK)
            pending = decoder.unconsumed_tail
            adler = zlib.adler32(out, adler)
            length += len(out)
            if length > _MAX_BLOWN and length > _MAX_RATIO * (at - data.start):
                return None  # a compression bomb behind the pickle
    except zlib.error:
        return None
    return None if decoder.unused_data or at < end else _Sum(adler, length % _BASE)


EMBEDDING = embedding("in front of the pickle", claims, split, place, formats=("pickle", "joblib"))
