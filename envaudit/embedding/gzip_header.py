"""Gzip files: in the header, as an extra field, which every reader skips (RFC 1952, section 2.3.1.1).

A second member behind the first would be just as valid, and must not be: joblib reads zlib and gzip with a decompressor
that, given anything behind the end, takes more and more memory for ever (joblib/compressor.py, ``BinaryZlibFile``).
"""

from __future__ import annotations

import struct
from functools import partial
from typing import Final, NamedTuple

from envaudit.artifacts import compression_of
from envaudit.embedding import _records
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span

_ID: Final = b"EA"
"""The subfield's two characters, SI1 and SI2."""
_LONGEST: Final = 0xFFFF
_FIXED: Final = 10
_FHCRC: Final = 0x02
_FEXTRA: Final = 0x04


class _Header(NamedTuple):
    fixed: bytes
    subfields: bytes | None
    """None where there is no extra field."""
    length: int
    """Of both in the file."""


def claims(path: str, head: bytes) -> bool:
    """Gzip's magic."""
    return compression_of(head) == "gzip"


def _header(file: File) -> _Header:
    start = file.part(0, _FIXED + 2)
    if len(start) < _FIXED + 2 or not start[3] & _FEXTRA:
        return _Header(start[:_FIXED], None, _FIXED)
    (length,) = struct.unpack_from("<H", start, _FIXED)
    return _Header(start[:_FIXED], file.part(_FIXED + 2, length), _FIXED + 2 + length)


def _parts(subfields: bytes) -> tuple[bytes | None, bytes]:
    """The record among the subfields, and the others."""
    record, others, at = None, b"", 0
    while at + 4 <= len(subfields):
        end = at + 4 + int.from_bytes(subfields[at + 2 : at + 4], "little")
        if subfields[at : at + 2] == _ID and record is None:
            record = subfields[at + 4 : end]
        else:
            others += subfields[at:end]
        at = end
    return record, others + subfields[at:]


def _field(fixed: bytes, subfields: bytes) -> bytes:
    flags = fixed[3] | _FEXTRA if subfields else fixed[3] & ~_FEXTRA
    return (
        fixed[:3] + bytes([flags]) + fixed[4:] + (struct.pack("<H", len(subfields)) if subfields else b"") + subfields
    )


def split(file: File) -> Split:
    """The record in the header, and the file without it."""
    header = _header(file)
    record, others = (None, b"") if header.subfields is None else _parts(header.subfields)
    if record is None:
        return Split(None, (Span(0, file.size),))
    rest = Span(header.length, file.size - header.length)
    return Split(partial(_records.unpacked, record, file.path), (_field(header.fixed, others), rest))


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The header with one subfield more; None where it is full, carries a checksum of itself, or an extra field of
    nothing, which could not be restored."""
    header = _header(file)
    if len(header.fixed) < _FIXED or header.fixed[3] & _FHCRC or header.subfields == b"":
        return None
    packed = _records.packed(text)
    subfields = _parts(header.subfields or b"")[1] + _ID + struct.pack("<H", len(packed) & _LONGEST) + packed
    if len(subfields) > _LONGEST:
        return None
    return (_field(header.fixed, subfields), Span(header.length, file.size - header.length))


EMBEDDING = embedding("in the gzip header", claims, split, place, formats=("pickle", "joblib"))
