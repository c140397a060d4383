"""Files in .xz and in the older .lzma format: in an .xz stream of its own behind the model's.

Readers take it for more of the same data (the .xz file format, section 2: files of several streams): the model's pickle
and, behind it, the record's (:mod:`envaudit.embedding.pickle_stream`).
"""

from __future__ import annotations

import lzma
from functools import partial
from typing import Final

from envaudit.artifacts import compression_of
from envaudit.embedding import _tail
from envaudit.embedding._embedding import MAX_PACKED
from envaudit.embedding._file import File, Split, embedding
from envaudit.embedding._pieces import Pieces, Span
from envaudit.errors import EmbeddingError
from envaudit.needs import RECORD

_HEADER: Final = 12
"""Bytes of a stream's header, and of its footer."""
_MAX_INDEX: Final = 1 << 12
_MEMORY: Final = 100 << 20


def claims(path: str, head: bytes) -> bool:
    """The magic of .xz, or what most .lzma files begin with."""
    return compression_of(head) in ("xz", "lzma")


def split(file: File) -> Split:
    """The last stream, if it is a record, and those before it."""
    length = _last_stream(file)
    if length is not None and _HEADER < length < file.size and length <= MAX_PACKED:
        start = file.size - length
        decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        try:
            frame = decoder.decompress(file.part(start, length), MAX_PACKED)
        except lzma.LZMAError as error:
            raise EmbeddingError(f"{file.path}: damaged xz data at byte {start}: {error}") from None
        if frame.startswith(RECORD):
            if not decoder.eof:
                raise EmbeddingError(f"{file.path}: the snapshot in it is damaged: it does not end where it says")
            return Split(partial(_tail.unpickled, frame, file.path), (Span(0, start),))
    return Split(None, (Span(0, file.size),))


def _last_stream(file: File) -> int | None:
    """The length of the stream at the end: the footer says how long the index is, and that, how long the blocks are
    (sections 2.1.2 and 4). None where there is none, or one of very many blocks."""
    footer = file.part(max(0, file.size - _HEADER), _HEADER)
    if len(footer) < _HEADER or footer[10:] != b"YZ":
        return None
    size = (int.from_bytes(footer[4:8], "little") + 1) * 4
    if size > _MAX_INDEX or size > file.size - _HEADER:
        return None
    numbers = _numbers(file.part(file.size - _HEADER - size, size))
    if not numbers or len(numbers) < 1 + 2 * numbers[0]:
        return None
    blocks = sum((unpadded + 3) // 4 * 4 for unpadded in numbers[1 : 1 + 2 * numbers[0] : 2])
    return 2 * _HEADER + size + blocks


def _numbers(index: bytes) -> list[int]:
    """The multibyte integers (section 1.2) of an index; empty where it is none."""
    if index[:1] != b"\0":
        return []
    found, value, shift = [], 0, 0
    for byte in index[1:-4]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            found.append(value)
            value = shift = 0
    return found


def place(file: File, own: Pieces, text: bytes) -> Pieces | None:
    """The model's streams, and the record's."""
    return (*own, lzma.compress(_tail.pickled(text), preset=0))


EMBEDDING = embedding("in a stream behind the model's", claims, split, place, formats=("pickle", "joblib"))
